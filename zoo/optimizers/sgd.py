"""Stochastic gradient descent with a rate per variable."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

import keras

from zoo.errors import ZooError


@keras.saving.register_keras_serializable("zoo")
class SGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD` whose learning rate is multiplied by a factor per variable.

    There is one `learning_rate`, one schedule and one set of callbacks; each variable moves as
    under a plain SGD whose rate is its factor times that one. Decoupled `weight_decay`, which
    Keras multiplies by the rate, is multiplied by the factor, too.

    Source: the protocol for SeqNets in Hu, "Revisiting Exploding Gradient: A Ghost That Never
    Leaves", appendix B.1: a classifier at 0.1 above convolutions at 0.02, and 6/23 of that in the
    third stage of SeqNet101.

    Args:
        learning_rate, momentum, nesterov, weight_decay: as `keras.optimizers.SGD`.
        multipliers: {pattern: factor}. The first pattern that matches a variable's `path`
            (fnmatch: `*` also spans slashes) gives its factor, a number of at least 0; 1 where
            none matches.
        **kwargs: the other arguments of `keras.optimizers.SGD`.

    Raises:
        ValueError: for a negative or non-finite factor; when the optimizer is built, for a
            pattern that matches no trainable variable.

    Example:

    >>> rates = {"head_dense/*": 5.0, "stage3_*": 6 / 23}
    >>> model.compile(zoo.optimizers.SGD(0.02, momentum=0.9, multipliers=rates))
    """

    def __init__(
        self,
        learning_rate=0.01,
        momentum=0.0,
        nesterov=False,
        weight_decay=None,
        multipliers: Mapping[str, float] | None = None,
        **kwargs,
    ):
        super().__init__(
            learning_rate, momentum, nesterov=nesterov, weight_decay=weight_decay, **kwargs
        )
        self.multipliers = dict(multipliers or {})
        for pattern, factor in self.multipliers.items():
            number = isinstance(factor, int | float) and not isinstance(factor, bool)
            if not number or not math.isfinite(factor) or factor < 0:
                raise ZooError(
                    "multipliers must be numbers of at least 0. "
                    f"Received: multipliers={{{pattern!r}: {factor!r}}}"
                )

    def build(self, variables):
        if self.built:
            return
        paths = [getattr(variable, "path", variable.name) for variable in variables]
        for pattern in self.multipliers:
            if not any(fnmatchcase(path, pattern) for path in paths):
                raise ZooError(
                    f"multipliers: {pattern!r} matches none of the {len(paths)} trainable "
                    f"variables. Some of their paths: {', '.join(paths[:: len(paths) // 6 + 1])}."
                )
        self._factors = [self._factor(path) for path in paths]
        super().build(variables)

    def _factor(self, path: str) -> float:
        matches = (f for pattern, f in self.multipliers.items() if fnmatchcase(path, pattern))
        return float(next(matches, 1.0))

    # One variable at a time on every backend: Keras's grouped updates for PyTorch, which know one
    # rate only, are for keras.optimizers.SGD itself, never for a subclass.
    def update_step(self, gradient, variable, learning_rate):
        factor = self._factors[self._get_variable_index(variable)]
        if factor != 1:
            learning_rate = learning_rate * factor
        if self.weight_decay and self._use_weight_decay(variable):
            decay = keras.ops.cast(learning_rate * self.weight_decay, variable.dtype)
            self.assign_sub(variable, keras.ops.multiply(variable, decay))
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        """Nothing: `update_step` does it, with the variable's own rate."""

    def get_config(self):
        return {**super().get_config(), "multipliers": self.multipliers}
