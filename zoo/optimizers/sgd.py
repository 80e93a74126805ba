"""Stochastic gradient descent with a rate per variable."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import keras

from zoo import checks
from zoo.errors import ZooError
from zoo.optimizers.averages import complete_averages
from zoo.types import Tensor


@keras.saving.register_keras_serializable("zoo")
class SGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD` whose learning rate is multiplied by a factor per variable.

    There is one `learning_rate`, one schedule and one set of callbacks; each variable moves as
    under a plain SGD whose rate is its factor times that one. Decoupled `weight_decay`, which
    Keras multiplies by the rate, is multiplied by the factor, too.

    Args:
        learning_rate: float, `keras.optimizers.schedules.LearningRateSchedule` or function
            without arguments.
        momentum: float, at least 0.
        nesterov: bool. Whether the momentum is Nesterov's.
        weight_decay: float or None. Coefficient of decoupled weight decay.
        multipliers: dict {pattern: factor} or None. The first pattern that matches a variable's
            `path` (fnmatch: `*` also spans slashes) gives its factor, a number of at least 0; 1
            where none matches.
        **kwargs: the other arguments of `keras.optimizers.SGD`.

    Raises:
        ZooError: for a negative or non-finite factor; when the optimizer is built, for a pattern
            that matches no trainable variable.

    References:
        - Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", appendix B.1: a
          classifier at 0.1 above convolutions at 0.02, and 6/23 of that in the third stage of
          SeqNet101.

    Example:

    >>> optimizer = zoo.optimizers.SGD(0.1, multipliers={"head*": 5.0})
    >>> body, head = (keras.Variable([0.0], name=name) for name in ("body", "head"))
    >>> optimizer.apply([keras.ops.ones((1,))] * 2, [body, head])
    >>> print(f"{float(body[0]):.1f} {float(head[0]):.1f}")
    -0.1 -0.5
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        multipliers: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate, momentum, nesterov=nesterov, weight_decay=weight_decay, **kwargs
        )
        self.multipliers = {
            str(pattern): checks.not_negative(f"multipliers[{pattern!r}]", factor)
            for pattern, factor in (multipliers or {}).items()
        }

    def build(self, variables: Sequence[keras.Variable]) -> None:
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
        complete_averages(self, variables)

    def _factor(self, path: str) -> float:
        matches = (f for pattern, f in self.multipliers.items() if fnmatchcase(path, pattern))
        return float(next(matches, 1.0))

    # One variable at a time on every backend: Keras's grouped updates for PyTorch, which know one
    # rate only, are for keras.optimizers.SGD itself, never for a subclass.
    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        factor = self._factors[self._get_variable_index(variable)]
        if factor != 1:
            learning_rate = learning_rate * factor
        if self.weight_decay and self._use_weight_decay(variable):
            decay = keras.ops.cast(learning_rate * self.weight_decay, variable.dtype)
            self.assign_sub(variable, keras.ops.multiply(variable, decay))
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Nothing: `update_step` does it, with the variable's own rate."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multipliers": self.multipliers}
