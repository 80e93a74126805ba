"""Switching modulation on for the first steps of training, and watching it."""

from typing import Any

import keras
import numpy as np
from keras.ops import convert_to_numpy

from zoo import checks
from zoo.errors import ZooError
from zoo.layers import ModulationSource
from zoo.optimizers.averages import complete_averages


class ModulationCallback(keras.callbacks.Callback):
    """Modulates the errors in the first steps of training, and logs rho of every point.

    The model needs modulation layers: `zoo.create("plainnet110", modulation=True)`, or your own
    `zoo.layers.ModulationSource` and `zoo.layers.Modulation`, also inside submodels. Steps are
    counted by the optimizer's iterations, so a resumed training goes on where it was.

    At the end of an epoch, `logs` has the values of its last step: `modulation_rho_min`,
    `modulation_rho_max`, `modulation_rho_mean`, and `modulation_outside`, the number of points
    whose rho is outside the band: whose errors were rescaled, or would have been.

    The paper modulates for the first n iterations and then regularizes alone; for the whole
    training modulation does harm (73.5 % against 81.6 %). n is "heuristic" there, and its figure 4
    settles after 2000 to 3000 iterations. The paper gives no band, the ratio up to which errors of
    neighbouring layers count as equal. Plain BN-ReLU nets start with rho = sqrt((pi - 1) / pi) =
    1/1.21 at every layer: the default 1.1 modulates nearly all of them, a band above 1.21 only
    those that differ. `orthonormal_band_cifar10_cpu` of the recipes trains with four of them.

    Args:
        first_steps: int, at least 0. Training steps with modulation, n.
        band: float t, at least 1. Errors are rescaled where rho is outside [1/t, t].

    Attributes:
        history: list of one dict per epoch, point -> rho = sqrt(q_{l+1} / q_l) in its last step,
            for all points but the highest. With several sources, keys are "source number/point".

    Raises:
        ZooError: for a value out of range; in `fit`, for a model without modulation layers.

    References:
        - Xie et al., "All You Need is Beyond a Good Init", section 5.3 and figure 4.
        - Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", appendix A.1.

    Example:

    >>> inputs = keras.Input((4,))
    >>> x, token = inputs, zoo.layers.ModulationSource(["first", "second"])(inputs)
    >>> x, token = zoo.layers.Modulation(0)([keras.layers.Dense(4)(x), token])
    >>> x, token = zoo.layers.Modulation(1)([keras.layers.Dense(4)(x), token])
    >>> model = keras.Model(inputs, x)
    >>> model.compile("sgd", "mse")
    >>> modulation = zoo.callbacks.ModulationCallback(first_steps=2)
    >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 4)), verbose=0, callbacks=[modulation])
    >>> list(modulation.history[0])
    ['first']
    """

    def __init__(self, first_steps: int = 2000, band: float = 1.1) -> None:
        super().__init__()
        self.first_steps = checks.integer("first_steps", first_steps, least=0)
        self.band = checks.number("band", band, "a finite number of at least 1", lambda x: x >= 1)
        self.history: list[dict[str, float]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        sources = self._sources()
        if not sources:
            raise ZooError(
                f"The model {self.model.name!r} has no modulation layers. Build it with them, e.g. "
                'zoo.create("plainnet110", modulation=True).'
            )
        # Accumulated gradients: one iteration is several training steps.
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        complete_averages(optimizer, self.model.trainable_variables)
        steps = optimizer.gradient_accumulation_steps or 1
        left = (self.first_steps - int(convert_to_numpy(optimizer.iterations))) * steps
        for source in sources:
            source.steps_left.assign(max(left, 0))
            source.band.assign(self.band)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        sources = self._sources()
        ratios: dict[str, float] = {}
        for i, source in enumerate(sources):
            prefix = f"{i}/" if len(sources) > 1 else ""
            ratios |= {prefix + point: rho for point, rho in _rho(source).items()}
        self.history.append(ratios)
        if logs is not None and ratios:
            rho = np.array(list(ratios.values()))
            logs["modulation_rho_min"] = float(rho.min())
            logs["modulation_rho_max"] = float(rho.max())
            logs["modulation_rho_mean"] = float(rho.mean())
            inside = (rho >= 1 / self.band) & (rho <= self.band)
            logs["modulation_outside"] = int((~inside).sum())

    def _sources(self) -> list[ModulationSource]:
        return [v for v in self.model._flatten_layers() if isinstance(v, ModulationSource)]


def _rho(source: ModulationSource) -> dict[str, float]:
    """rho of every point below the highest; 1 where a moment is 0 and nothing is rescaled."""
    moments = np.asarray(convert_to_numpy(source.moments), "float64")
    arrived, above = moments[:-1, 0], moments[1:, 1]
    undefined = (arrived == 0) | (above == 0)
    rho = np.sqrt(np.where(undefined, 1.0, above / np.where(arrived == 0, 1.0, arrived)))
    return dict(zip(source.points[:-1], rho.tolist(), strict=True))
