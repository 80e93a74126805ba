"""Numbers among the arguments: checked, and made Python's own, which configurations can hold."""

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from zoo.errors import ZooError


def integer(name: str, value: Any, least: int) -> int:
    """`value` as int.

    Args:
        name: str. The argument's name, for the message.
        value: what was received: an int, also one of NumPy, or a float without a fraction.
        least: int. The smallest value allowed.

    Returns:
        Python int.

    Raises:
        ZooError: `value` is no such integer.

    Example:

    >>> zoo.checks.integer("every", np.int64(16), least=1)
    16
    """
    if not _is_number(value) or not float(value).is_integer() or value < least:
        raise ZooError(f"{name} must be an integer of at least {least}. Received: {name}={value!r}")
    return int(value)


def integers(name: str, value: Any, least: int) -> int | tuple[int, ...]:
    """`value` as int, or as tuple of ints where it is a sequence, e.g. the size of a kernel.

    Args:
        name: str. The argument's name, for the message.
        value: what was received.
        least: int. The smallest value allowed.

    Returns:
        Python int, or tuple of them.

    Raises:
        ZooError: `value` is neither.

    Example:

    >>> zoo.checks.integers("strides", np.array([2, 1]), least=1)
    (2, 1)
    """
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return tuple(integer(name, v, least) for v in value)
    return integer(name, value, least)


def number(name: str, value: Any, allowed: str, test: Callable[[float], bool]) -> float:
    """`value` as float.

    Args:
        name: str. The argument's name, for the message.
        value: what was received: a finite number, also one of NumPy.
        allowed: str. What is allowed, in words, after "must be".
        test: function of a float that says whether it is allowed.

    Returns:
        Python float.

    Raises:
        ZooError: `value` is no finite number, or `test` refuses it.

    Example:

    >>> zoo.checks.number("decay", np.float32(0.5), "in (0, 1)", lambda x: 0 < x < 1)
    0.5
    """
    if not _is_number(value) or not math.isfinite(value) or not test(float(value)):
        raise ZooError(f"{name} must be {allowed}. Received: {name}={value!r}")
    return float(value)


def not_negative(name: str, value: Any) -> float:
    """`value` as a float of at least 0; refuses others with a `ZooError`.

    Args:
        name: str. The argument's name, for the message.
        value: what was received.

    Returns:
        Python float.

    Raises:
        ZooError: `value` is no finite number of at least 0.

    Example:

    >>> zoo.checks.not_negative("strength", 1e-4)
    0.0001
    """
    return number(name, value, "a number of at least 0", lambda x: x >= 0)


def seed(value: Any) -> int | None:
    """The `seed` of an initializer or layer: None, or an int of at least 0.

    Args:
        value: what was received.

    Returns:
        Python int, or None.

    Raises:
        ZooError: `value` is neither.

    Example:

    >>> zoo.checks.seed(np.int64(7))
    7
    """
    return None if value is None else integer("seed", value, least=0)


def _is_number(value: Any) -> bool:
    """Arrays and tensors without dimensions are none: what they hold may change."""
    return isinstance(value, Real) and not isinstance(value, bool)


def model_name(value: Any) -> str:
    """A name that Keras takes for a model.

    Args:
        value: what was received.

    Returns:
        str.

    Raises:
        ZooError: `value` is no text, empty, or has a "/", which separates names in paths.

    Example:

    >>> zoo.checks.model_name("left")
    'left'
    """
    if not isinstance(value, str) or not value or "/" in value:
        raise ZooError(f"name must be a text without '/'. Received: name={value!r}")
    return str(value)
