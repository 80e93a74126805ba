"""What a checkpoint becomes on request, told from its card alone, before anything large is read."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from zoo.checkpoint.build import check_facts, create_model, resolve, specs_of
from zoo.checkpoint.card import Card, parse_card, to_json
from zoo.checkpoint.schema import refuse
from zoo.checkpoint.tensors import Spec
from zoo.errors import CheckpointError, ZooError
from zoo.models.deferred import TooManyWeights, build_without_values
from zoo.models.transfer import paths_in
from zoo.models.variant import Variant


@dataclass(frozen=True)
class Plan:
    """A model that is still to get its weights.

    Attributes:
        model: keras.Model, of `build_without_values`.
        card: Card, true of the model.
        expected: dict of path -> (shape, dtype), what the files must hold.
        pretrained: set of str, the paths that the model takes from them.
    """

    model: keras.Model
    card: Card
    expected: dict[str, Spec]
    pretrained: set[str]


def plan(
    card: Card,
    where: str,
    *,
    num_classes: int | None = None,
    activation: str | None = "card",
    features: bool = False,
    input_shape: tuple[int | None, ...] | None = None,
    name: str | None = None,
) -> Plan:
    """Builds the model of a checkpoint as it is asked for.

    Args:
        card: Card, of the checkpoint.
        where: str, its file, for errors.
        num_classes, activation, features, input_shape: see `load_checkpoint`.
        name: str, of the model; None for the architecture's.

    Returns:
        Plan.

    Raises:
        CheckpointError: the card is not true.
        ZooError: the architecture, or these weights, do not take what was asked for.
    """
    variant, args = resolve(card, where)
    wanted: dict[str, Any] = {} if activation == "card" else {"activation": activation}
    if num_classes is not None:
        wanted["num_classes"] = num_classes
    if input_shape is not None:
        wanted["input_shape"] = input_shape
    if features:
        if num_classes is not None:
            raise ZooError("features and num_classes exclude each other: features have no head.")
        wanted["features"] = features
    wanted = variant.parse(wanted)

    options = variant.options | args
    own_args = args | {k: v for k, v in wanted.items() if k == "activation"}
    try:
        model = own = build_without_values(
            lambda: create_model(card, where, own_args, name), most=card.params
        )
    except TooManyWeights:
        refuse(where, f"params must be those of the args, which are more. Received: {card.params}")
    check_facts(card, where, own, options)
    expected = specs = specs_of(own, card, where)
    if any(options[key] != value for key, value in wanted.items() if key != "activation"):
        model = build_without_values(lambda: _build(card, variant, args | wanted, name))
        specs = specs_of(model, card, where)
    if "input_shape" in wanted:
        _check_size(card, own, model, expected, specs)
    pretrained = set(specs)
    if features and not specs.items() <= expected.items():
        refuse(where, "the weights of its feature pyramid are not those of the model")
    if num_classes is not None:
        if num_classes and not card.head:
            refuse(where, "head is empty: this checkpoint cannot take a new one (num_classes)")
        pretrained = _body(card, where, expected, specs)
    return Plan(model, _card_of(card, where, options, args, wanted), expected, pretrained)


def _build(card: Card, variant: Variant, args: dict[str, Any], name: str | None) -> keras.Model:
    """A model that the user asks for: what is wrong with it is not the card's fault."""
    try:
        return variant.build(name=name, **args)
    except ZooError:
        raise
    except ValueError as error:  # of Keras
        raise ZooError(f"{card.name} cannot be built with {args}: {error}") from error


def _check_size(
    card: Card,
    own: keras.Model,
    model: keras.Model,
    expected: Mapping[str, Spec],
    specs: Mapping[str, Spec],
) -> None:
    """Refuses another input shape where the weights are bound to theirs."""
    reason = ""
    for layer in model.layers:
        # Dense weights behind it have a row for every place.
        if isinstance(layer, keras.layers.Flatten):
            before, now = (net.get_layer(layer.name).input.shape[1:] for net in (own, model))
            if before != now:
                reason = f"dense weights behind its layer {layer.name!r} belong to places {before}"
    head = paths_in(card.head, specs)
    for path, (shape, _) in specs.items():
        if not reason and path in expected and path not in head and shape != expected[path][0]:
            reason = f"{path} would be of shape {shape}, not {expected[path][0]}"
    if reason:
        shapes = [net.input_shape[1:] for net in (own, model)]
        raise ZooError(
            f"{card.name} is for input_shape={shapes[0]} alone: {reason}. Leave input_shape out "
            "(zoo.preprocess fits pictures of any size to the model), or build the net for another "
            f"one with fresh weights: zoo.create({card.architecture!r}, input_shape=…). "
            f"Received: input_shape={shapes[1]}"
        )


def _body(
    card: Card, where: str, expected: Mapping[str, Spec], specs: Mapping[str, Spec]
) -> set[str]:
    """The names of the pretrained tensors in a model with another head: all but the head's."""
    body = expected.keys() - paths_in(card.head, expected)
    mine = specs.keys() - paths_in(card.head, specs)
    if body != mine or any(specs[path] != expected[path] for path in body):
        refuse(where, "head does not name every layer that depends on the number of classes")
    return body


def _card_of(
    card: Card, where: str, options: dict[str, Any], args: dict[str, Any], wanted: dict[str, Any]
) -> Card:
    """The card of a model that was asked for with other arguments, as far as it still holds."""
    if not wanted:
        return card
    now = dataclasses.replace(card, args=args | wanted)
    if "num_classes" in wanted or "features" in wanted:
        now = dataclasses.replace(now, labels=(), label_ids=(), metrics=())
    if wanted.get("num_classes") == 0 or "features" in wanted:
        now = dataclasses.replace(now, head=())
    if "input_shape" in wanted and wanted["input_shape"] != options["input_shape"]:
        now = dataclasses.replace(now, metrics=())
        height, width = wanted["input_shape"][:2]
        if height and width:
            now = dataclasses.replace(now, preprocess=card.preprocess.of_size((height, width)))
    try:
        return parse_card(to_json(now).encode(), where)
    except CheckpointError as error:  # no fault of the card's, which was right before
        raise ZooError(f"{card.name} does not take {wanted}. {error}") from None
