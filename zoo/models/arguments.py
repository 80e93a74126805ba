"""The arguments that architectures take: one table of names, types and ranges for every family.

The table is what makes a checkpoint's `args` safe to build from: nothing outside it reaches a
model function, and every bad value gives an error that names what is allowed.
"""

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import UnknownNameError, ZooError


@dataclass(frozen=True)
class Argument:
    """What an argument may be (`allowed`, for people) and how it is checked and normalized."""

    allowed: str
    parse: Callable[[Any], Any]  # returns the normalized value; raises TypeError or ValueError


def _integer(low: int, high: int) -> Argument:
    def parse(value):
        if isinstance(value, bool) or int(value) != value or not low <= value <= high:
            raise ValueError
        return int(value)

    return Argument(f"an integer from {low} to {high}", parse)


def _number(low: float, high: float, none: bool = False) -> Argument:
    def parse(value):
        if value is None and none:
            return None
        if isinstance(value, bool | str) or not low <= value <= high:
            raise ValueError
        return float(value)

    return Argument(f"a number from {low:g} to {high:g}" + (" or None" if none else ""), parse)


def _choice(*values: str | None) -> Argument:
    def parse(value):
        if not isinstance(value, str | None) or value not in values:
            raise ValueError
        return value

    return Argument("one of " + ", ".join(map(repr, values)), parse)


def _flag(none: bool = False) -> Argument:
    def parse(value):
        if not isinstance(value, bool) and not (none and value is None):
            raise ValueError
        return value

    return Argument("True or False" + (" or None" if none else ""), parse)


def _shape() -> Argument:
    side = _integer(1, 65536)

    def parse(value):
        if isinstance(value, str) or not 1 <= len(value) <= 3:
            raise ValueError
        image = len(value) == 3
        return tuple(
            None if v is None and image and i < 2 else side.parse(v) for i, v in enumerate(value)
        )

    return Argument(
        "a tuple of 1 to 3 integers from 1 to 65536, (H, W, C) for images; H and W may be None",
        parse,
    )


ARGUMENTS: dict[str, Argument] = {
    "input_shape": _shape(),
    "num_classes": _integer(0, 1_000_000),
    "activation": _choice("softmax", "sigmoid", None),
    "features": _flag(),
    "width": _integer(1, 4096),
    "units": _integer(1, 65536),
    "stem": _choice("imagenet", "cifar", "tiny_imagenet"),
    "final_conv": _integer(0, 65536),
    "dropout": _number(0, 0.999),
    "shortcut": _choice("identity_pad", "projection", "projection3x3", "none"),
    "nonlinearity": _choice("relu", "crelu", "leaky_relu", "prelu", "selu", "tanh"),
    "norm": _choice("batchnorm", "groupnorm", "none", "normprop", "normprop2", "normprop3"),
    "use_bias": _flag(none=True),
    "modulation": _flag(),
    "initializer": _choice(
        "orthonormal",
        "delta_orthonormal",
        "he_normal",
        "he_uniform",
        "lecun_normal",
        "glorot_uniform",
    ),
    "init": _choice("R", "O", "L"),
    "tie_conv2": _flag(),
    "tie_conv4": _flag(),
    "inner_bias": _flag(),
    "inner_norm": _flag(),
    "position": _integer(1, 3),
    "orthonormal": _number(0, 1e3),
    "orthogonal": _number(0, 1e3),
    "weight_decay": _number(0, 1e3),
    "max_norm": _number(1e-6, 1e6, none=True),
    "beta": _number(-10, 10),
    # Of detectors.
    "masks": _flag(),
    "fpn_filters": _integer(1, 4096),
    "head_units": _integer(1, 65536),
    "head_norm": _choice("none", "group"),
    "freeze": _choice("batch_norm", None),
    "anchor_scale": _number(0.1, 100),
    "pre_nms": _integer(2, 10_000),
    "proposals": _integer(1, 10_000),
    "rpn_samples": _integer(2, 10_000),
    "roi_samples": _integer(4, 10_000),
    "score_threshold": _number(0, 1),
    "nms_threshold": _number(0, 1),
    "detections": _integer(1, 1000),
}


def parse_arguments(model: str, names: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Normalized values of `given`; a `ZooError` names the first that `model` does not take."""
    parsed = {}
    for name, value in given.items():
        if name not in names:
            raise UnknownNameError(
                f"argument of {model}", name[:80], names, f"It takes: {', '.join(sorted(names))}."
            )
        try:
            parsed[name] = ARGUMENTS[name].parse(value)
        except (TypeError, ValueError, OverflowError):
            raise ZooError(
                f"{model}: {name} must be {ARGUMENTS[name].allowed}. "
                f"Received: {name}={reprlib.repr(value)}"
            ) from None
    return parsed
