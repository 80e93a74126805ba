import json

import numpy as np
import pytest

from zoo.checks import integer, number, seed
from zoo.errors import ZooError

pytestmark = pytest.mark.once


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), 3.0, np.float32(3)])
def test_integers_become_pythons(value):
    assert json.dumps(integer("n", value, least=1)) == "3"


@pytest.mark.parametrize(
    "value", [0, 2.5, True, np.bool_(True), "3", None, [3], np.array(3), float("nan"), np.inf]
)
def test_refuses_what_is_no_integer_in_the_range(value):
    with pytest.raises(ZooError, match=r"^n must be an integer of at least 1\. Received: n="):
        integer("n", value, least=1)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float16(0.5), np.float64(0.5)])
def test_numbers_become_pythons(value):
    assert json.dumps(number("x", value, "below 1", lambda x: x < 1)) == "0.5"


@pytest.mark.parametrize("value", [1, True, "0.5", None, float("nan"), -np.inf])
def test_refuses_what_is_no_number_in_the_range(value):
    with pytest.raises(ZooError, match=r"^x must be below 1\. Received: x="):
        number("x", value, "below 1", lambda x: x < 1)


def test_seeds():
    assert (seed(None), seed(np.int32(7))) == (None, 7)
    with pytest.raises(ZooError, match="seed must be an integer"):
        seed(-1)
