"""Ratios and growth of values along the depth of a network."""

import itertools
from collections.abc import Mapping

import numpy as np

from zoo.errors import ZooError


def moment_ratios(moments: Mapping[str, float]) -> dict[str, float]:
    """q_l / q_L: each layer's moment over that of the highest. The first one is figure 3's.

    Args:
        moments: Dict, name -> q, lowest layer first; see `error_moments`.

    Returns:
        Dict, name -> ratio, 1 for the last name.

    Raises:
        ZooError: There are no moments, or the highest is 0 or not finite.

    References:
        Xie et al., "All You Need is Beyond a Good Init", figures 3 and 4.

    Example:

    >>> moment_ratios({"conv1": 6.0, "conv2": 2.0})
    {'conv1': 3.0, 'conv2': 1.0}
    """
    names = list(moments)
    _positive({names[-1]: moments[names[-1]]} if names else {})
    return {name: float(moments[name] / moments[names[-1]]) for name in names}


def neighbour_ratios(moments: Mapping[str, float]) -> dict[str, float]:
    """rho_l = sqrt(q_{l+1} / q_l), the factor by which modulation would rescale the error at l.

    Below 1 where errors grow on their way down: 1 / 1.21 at the layers of a plain BN-ReLU net.

    Args:
        moments: Dict, name -> q, lowest layer first; see `error_moments`.

    Returns:
        Dict, name of the lower layer -> rho, for all names but the last.

    Raises:
        ZooError: A moment is 0 or not finite, or there is none.

    References:
        Xie et al., "All You Need is Beyond a Good Init", section 4; `zoo.layers.Modulation`.

    Example:

    >>> neighbour_ratios({"conv1": 4.0, "conv2": 1.0})
    {'conv1': 0.5}
    """
    _positive(moments)
    pairs = itertools.pairwise(moments)
    return {low: float(np.sqrt(moments[high] / moments[low])) for low, high in pairs}


def growth_per_layer(values: Mapping[str, float]) -> float:
    """Factor per layer by which values grow towards the input, by least squares of logarithms.

        log v_l ~ a - l log(growth),  l = 0, 1, …, upwards

    Above 1 they explode, below 1 they vanish. The whole factor over L layers is growth^(L - 1).

    Args:
        values: Dict, name -> positive number, lowest layer first, two or more: gradient norms, or
            square roots of moments, to be compared with `Ratios.growth`.

    Returns:
        Float.

    Raises:
        ZooError: Fewer than two values, or one that is 0 or not finite.

    Example:

    >>> round(growth_per_layer({"conv1": 4.0, "conv2": 2.0, "conv3": 1.0}), 9)
    2.0
    """
    _positive(values)
    if len(values) < 2:
        raise ZooError(f"Growth needs at least two layers. Received: {', '.join(values)}")
    v = np.log(np.array(list(values.values()), "float64"))
    return float(np.exp(-np.polyfit(np.arange(len(v)), v, 1)[0]))


def _positive(values: Mapping[str, float]) -> None:
    if not values:
        raise ZooError("At least one layer is needed. Received none.")
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise ZooError(f"Values must be positive and finite. Received: {name}: {float(value)}")
