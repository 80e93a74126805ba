import re
from typing import Annotated, Literal

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.models.options import InputShape, Range, parse_options, read_options
from zoo.models.variant import Variant
from zoo.registry import variants

pytestmark = pytest.mark.once


def family(
    depth,
    *,
    input_shape: InputShape = (8,),
    width: Annotated[int, Range(1, 9)] = 2,
    rate: Annotated[float, Range(0, 0.5)] | None = None,
    kind: Literal["a", "b", None] = "a",
    bias: bool | None = None,
    name="family",
):
    """Gives back what it takes."""
    return {k: v for k, v in locals().items() if k not in ("depth", "name")}


VARIANT = Variant("family3", family, {"depth": 3})


def test_the_signature_is_the_declaration():
    assert VARIANT.options == family(3)
    assert {name: option.allowed for name, option in VARIANT.signature.items()} == {
        "input_shape": "a tuple of 1 to 3 integers from 1 to 65536, (H, W, C) for images; H and W "
        "may be None",
        "width": "an integer from 1 to 9",
        "rate": "a number from 0 to 0.5 or None",
        "kind": "one of 'a', 'b', None",
        "bias": "True or False or None",
    }


@pytest.mark.parametrize("annotation", [None, int, float, str, Annotated[int, "any"], bool | int])
def test_an_argument_without_a_range_is_refused(annotation):
    def open_family(depth, *, width=3, name=""):
        pass

    if annotation is not None:
        open_family.__annotations__["width"] = annotation
    with pytest.raises(ZooError, match="open_family: the argument 'width' must be annotated"):
        _ = Variant("open", open_family, {"depth": 3}).options
    assert Variant("closed", open_family, {"depth": 3, "width": 3}).options == {}


@pytest.mark.parametrize(
    ("values", "parsed"),
    [
        ({"width": np.int64(2), "rate": np.float32(0.5)}, {"width": 2, "rate": 0.5}),
        ({"width": 2.0, "rate": 0}, {"width": 2, "rate": 0.0}),
        ({"input_shape": np.array([4, 5, 3])}, {"input_shape": (4, 5, 3)}),
        ({"input_shape": [None, None, 3]}, {"input_shape": (None, None, 3)}),
        ({"bias": np.True_, "rate": None}, {"bias": True, "rate": None}),
        ({"bias": None, "kind": None}, {"bias": None, "kind": None}),
    ],
)
def test_values_become_plain(values, parsed):
    result = VARIANT.parse(values)
    assert result == parsed
    assert [type(v) for v in result.values()] == [type(v) for v in parsed.values()]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 10),
        ("width", 2.5),
        ("width", np.bool_(True)),
        ("width", "2"),
        ("width", None),
        ("width", 1 + 0j),
        ("width", [2, 3]),
        ("width", float("nan")),
        ("rate", "0.5"),
        ("rate", True),
        ("rate", float("inf")),
        ("rate", 10**400),
        ("kind", "c"),
        ("kind", ["a"]),
        ("bias", 1),
        ("bias", "True"),
        ("input_shape", 8),
        ("input_shape", (None,)),
        ("input_shape", (8, 8, None)),
        ("input_shape", (8, 8, 3, 1)),
        ("input_shape", {8: 8}.keys),
    ],
)
def test_bad_values_are_refused(name, value):
    allowed = VARIANT.signature[name].allowed
    with pytest.raises(ZooError, match=re.escape(f"family3: {name} must be {allowed}. Received")):
        VARIANT.parse({name: value})


def test_unknown_names_are_refused():
    options = read_options(family, ("depth", "name"))
    with pytest.raises(ZooError, match=r"Did you mean 'width'.* It takes: bias, input_shape"):
        parse_options("family", options, {"widht": 2})
    with pytest.raises(ZooError, match="Unknown argument of family3: 'depth'"):
        VARIANT.parse({"depth": 5})


def test_the_defaults_of_every_variant_are_allowed():
    for variant in variants().values():
        assert variant.parse(variant.options) == variant.options
