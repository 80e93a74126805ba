"""Switching modulation on for the first steps of training, and watching it."""

import math

import keras
import numpy as np
from keras.ops import convert_to_numpy

from zoo.errors import ZooError
from zoo.layers import ModulationSource


class ModulationCallback(keras.callbacks.Callback):
    """Modulates the errors in the first steps of training, and tells rho of every point.

    The model needs modulation layers: `zoo.create("plainnet110", modulation=True)`, or your own
    `zoo.layers.ModulationSource` and `zoo.layers.Modulation`, also inside submodels. Steps are
    counted by the optimizer's iterations, so a resumed training goes on where it was.

    At the end of an epoch, `logs` tells of its last step `modulation_rho_min`,
    `modulation_rho_max` and `modulation_rho_mean`, and `modulation_outside`, the number of points
    whose rho is outside the band: whose errors were rescaled, or would have been.

    Source: Xie et al., "All You Need is Beyond a Good Init", section 5.3: modulation for the first
    n iterations, then regularization alone; for the whole training it does harm (73.5 % against
    81.6 %). n is "heuristic" there, and its figure 4 settles after 2000 to 3000 iterations. The
    band is not given. Plain BN-ReLU nets start with rho = sqrt((pi - 1) / pi) = 1/1.21 at every
    layer (Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", appendix A.1): the
    default 1.1 sees that, a band above 1.21 never would.

    Args:
        first_steps: training steps with modulation, n.
        band: t >= 1; errors are rescaled where rho is outside [1/t, t].

    Attributes:
        history: one dict per epoch, point -> rho = sqrt(q_{l+1} / q_l) in its last step, for all
            points but the highest. With several sources, keys are "source number/point".

    Raises:
        ValueError: for a value out of range; in `fit`, for a model without modulation layers.

    Example:

    >>> model.fit(x, y, callbacks=[zoo.callbacks.ModulationCallback(first_steps=2000)])
    """

    def __init__(self, first_steps: int = 2000, band: float = 1.1):
        super().__init__()
        if isinstance(first_steps, bool) or int(first_steps) != first_steps or first_steps < 0:
            raise ZooError(f"first_steps must be an integer >= 0. Received: {first_steps!r}")
        if not 1 <= band < math.inf:
            raise ZooError(f"band must be a finite number >= 1. Received: band={band!r}")
        self.first_steps, self.band = int(first_steps), float(band)
        self.history: list[dict[str, float]] = []

    def on_train_begin(self, logs=None):
        sources = self._sources()
        if not sources:
            raise ZooError(
                f"The model {self.model.name!r} has no modulation layers. Build it with them, e.g. "
                'zoo.create("plainnet110", modulation=True).'
            )
        # Accumulated gradients: one iteration is several training steps.
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        steps = optimizer.gradient_accumulation_steps or 1
        left = (self.first_steps - int(convert_to_numpy(optimizer.iterations))) * steps
        for source in sources:
            source.steps_left.assign(max(left, 0))
            source.band.assign(self.band)

    def on_epoch_end(self, epoch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        sources = self._sources()
        found = {}
        for i, source in enumerate(sources):
            prefix = f"{i}/" if len(sources) > 1 else ""
            found |= {prefix + point: rho for point, rho in _rho(source).items()}
        self.history.append(found)
        if logs is not None and found:
            rho = np.array(list(found.values()))
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
