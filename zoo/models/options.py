"""What the options of a model may be, read from the signature that declares them.

The signature is what makes the `args` of a card safe to build from: nothing that it does not
declare reaches a model function, and every bad value gives an error that names what is allowed.
"""

import functools
import inspect
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from zoo.errors import UnknownNameError, ZooError


@dataclass(frozen=True)
class Option:
    """One argument that a user may give.

    Attributes:
        default: its value where it is not given.
        allowed: what it may be, in words.
        parse: gives the normalized value; raises TypeError or ValueError for what is not allowed.
    """

    default: Any
    allowed: str
    parse: Callable[[Any], Any]


@dataclass(frozen=True)
class Range:
    """Annotation of an int or a float: from `low` to `high`, both among them."""

    low: float
    high: float

    def allowed(self, kind: type) -> str:
        name = "an integer" if kind is int else "a number"
        return f"{name} from {_number(self.low)} to {_number(self.high)}"

    def parse(self, kind: type, value: Any) -> Any:
        # Booleans are integers to Python, and int() and float() take text.
        if isinstance(value, bool | np.bool_ | str | bytes) or not self.low <= value <= self.high:
            raise ValueError
        if kind(value) != value:
            raise ValueError
        return kind(value)


@dataclass(frozen=True)
class Shape:
    """Annotation of the shape of one input: one to three sizes, those of an image may be open."""

    side = Range(1, 65536)

    def allowed(self, _: type) -> str:
        return (
            "a tuple of 1 to 3 integers from 1 to 65536, (H, W, C) for images; H and W may be None"
        )

    def parse(self, _: type, value: Any) -> tuple[int | None, ...]:
        if isinstance(value, str) or not 1 <= len(value) <= 3:
            raise ValueError
        image = len(value) == 3
        return tuple(
            None if size is None and image and i < 2 else self.side.parse(int, size)
            for i, size in enumerate(value)
        )


# Of most families. What a layer defines, as names of initializers, is annotated there.
InputShape = Annotated[tuple[int | None, ...], Shape()]
Classes = Annotated[int, Range(0, 1_000_000)]
Activation = Literal["softmax", "sigmoid", None]
Width = Annotated[int, Range(1, 4096)]
Units = Annotated[int, Range(1, 65536)]
Share = Annotated[float, Range(0, 0.999)]
Strength = Annotated[float, Range(0, 1e3)]
LastGamma = Annotated[float, Range(0, 10)]
InitialScale = Annotated[float, Range(1e-3, 10)]
MaxNormBound = Annotated[float, Range(1e-6, 1e6)]


@functools.cache
def read_options(function: Callable, without: tuple[str, ...] = ()) -> dict[str, Option]:
    """The options that the signature of a function declares.

    Args:
        function: each of its arguments is annotated with what it may be: `bool`, a `Literal`,
            `Annotated[int, Range(low, high)]`, the same of a float, `InputShape`, or one of these
            `| None`.
        without: names of arguments that are no options.

    Raises:
        ZooError: an argument is not annotated so.
    """
    hints = get_type_hints(function, include_extras=True)
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in without:
            continue
        rule = _read(hints.get(name))
        if rule is None:
            raise ZooError(
                f"{function.__qualname__}: the argument {name!r} must be annotated with what it "
                "may be, as in Annotated[int, Range(1, 8)], Literal['a', 'b'] or bool, or be fixed "
                f"by every variant. Received: {hints.get(name, 'no annotation')}"
            )
        options[name] = Option(parameter.default, *rule)
    return options


def parse_options(
    model: str, options: Mapping[str, Option], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Normalized values of options.

    Args:
        model: str. Its name, for errors.
        options: those that it takes.
        values: what was received, by name.

    Returns:
        dict of the values of these names.

    Raises:
        ZooError: names the first that `model` does not take, and what it does.
    """
    parsed = {}
    for name, value in values.items():
        if name not in options:
            raise UnknownNameError(
                f"argument of {model}",
                name[:80],
                options,
                f"It takes: {', '.join(sorted(options))}.",
            )
        try:
            parsed[name] = options[name].parse(value)
        except (TypeError, ValueError, OverflowError):
            raise ZooError(
                f"{model}: {name} must be {options[name].allowed}. "
                f"Received: {name}={reprlib.repr(value)}"
            ) from None
    return parsed


def _read(annotation: Any) -> tuple[str, Callable[[Any], Any]] | None:
    """What an annotation allows and how values are parsed; None where it says neither."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        rules = [_read(argument) for argument in arguments if argument is not NoneType]
        if len(rules) != 1 or len(arguments) != 2 or rules[0] is None:
            return None
        allowed, parse = rules[0]
        return f"{allowed} or None", lambda value: None if value is None else parse(value)
    if annotation is bool:
        return "True or False", _parse_flag
    if origin is Literal:
        allowed = f"one of {', '.join(map(repr, arguments))}"
        return allowed, functools.partial(_parse_choice, arguments)
    if origin is Annotated:
        kind, *notes = arguments
        for note in notes:
            if isinstance(note, Range | Shape):
                return note.allowed(kind), functools.partial(note.parse, kind)
    return None


def _parse_flag(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError
    return bool(value)


def _parse_choice(choices: tuple, value: Any) -> str | None:
    if not isinstance(value, str | None) or value not in choices:
        raise ValueError
    return value


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
