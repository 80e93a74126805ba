import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signals.theory.depth import growth_per_layer, moment_ratios, neighbour_ratios

pytestmark = pytest.mark.once


def test_growth_is_that_of_a_power_law():
    powers = {f"layer{i}": 7 * 1.21**-i for i in range(44)}
    assert growth_per_layer(powers) == pytest.approx(1.21)
    assert growth_per_layer(dict(reversed(powers.items()))) == pytest.approx(1 / 1.21)
    assert growth_per_layer({"a": 3.0, "b": 3.0, "c": 3.0}) == pytest.approx(1)
    # By least squares: an outlier in the middle of three changes nothing.
    assert growth_per_layer({"a": 4.0, "b": 100.0, "c": 1.0}) == pytest.approx(2)


def test_bad_values():
    dead = {"a": 0.0, "b": 1.0}
    for function in (neighbour_ratios, growth_per_layer):
        with pytest.raises(ZooError, match=r"positive and finite. Received: a: 0.0"):
            function(dead)
        with pytest.raises(ZooError, match=r"Received none"):
            function({})
    assert moment_ratios(dead) == {"a": 0, "b": 1}
    with pytest.raises(ZooError, match=r"positive and finite. Received: b: nan"):
        moment_ratios({"a": 1.0, "b": np.nan})
    with pytest.raises(ZooError, match=r"Received none"):
        moment_ratios({})
    with pytest.raises(ZooError, match=r"at least two layers. Received: a"):
        growth_per_layer({"a": 1.0})
