"""Layer-wise conditioning: how steep and how badly scaled the problem of each layer is."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from zoo.signals.linear import LinearSignals, Scale, pairs_of
from zoo.signals.theory.covariance import Covariance
from zoo.signals.theory.spectrum import Spectrum


@dataclasses.dataclass(frozen=True)
class LayerConditioning:
    """The spectra of one layer h = W x.

    Attributes:
        inputs: `Spectrum` of Sigma_x = E[x x^T], (D_in, D_in).
        gradients: `Spectrum` of Sigma_dh = E[dl/dh dl/dh^T], (D_out, D_out).
    """

    inputs: Spectrum
    gradients: Spectrum

    @property
    def fisher(self) -> Spectrum:
        """Of the layer's Fisher information matrix, Sigma_x (x) Sigma_dh (proposition 1)."""
        return self.inputs.kronecker(self.gradients)


def layer_conditioning(
    model: keras.Model | LinearSignals,
    batches: Iterable[Any],
    *,
    layers: Sequence[str | keras.Layer] | None = None,
    loss: str | Callable | None = None,
    training: bool = True,
    largest_only: bool = False,
    scale: Scale = "examples",
) -> dict[str, LayerConditioning]:
    """The spectra of every layer's input and output gradient, in one pass over the batches.

        F_k ~ Sigma_x (x) Sigma_dh,    Sigma_x = E[x x^T],    Sigma_dh = E[dl/dh dl/dh^T]

    lambda_max of F_k tells how steep the loss is along the weights of layer k, kappa_p how hard it
    is to descend. Neither moment is centred. The targets are the data's, not drawn from the
    model: the empirical Fisher, as in the paper's section 3.1. Of a convolution every position is
    an example, and x are its input's channels, without patches (appendix C.1).

    h is the output before the activation of the layer itself, `Dense(…, activation="relu")`
    included. With batch normalization and `training=True`, each batch is normalized by itself, so
    batches should be large. The matrices are float64; besides them, the signals of one batch are
    in memory.

    Args:
        model: Built Keras model; or its `LinearSignals`, compiled once for many calls, whose
            layers, loss, training and scale then hold.
        batches: Iterable of pairs (inputs, targets) of arrays.
        layers: Names, paths or layers; None for all dense layers and convolutions without groups.
        loss: As for `Probe`.
        training: As for `Probe`.
        largest_only: Boolean, the largest eigenvalues alone, much faster for wide layers.
        scale: "examples" or "positions", of the gradients of convolutions; see `LinearSignals`.

    Returns:
        Layer -> `LayerConditioning`, in the order of the forward pass. A layer used again in the
        graph is another one, "name#2".

    Raises:
        UnknownNameError: The model has no such layer.
        ZooError: A layer of another kind; no batches; NaN in a batch or a signal; and what
            `Probe` raises.

    References:
        Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs",
        sections 3 and 3.1.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="dense")])
    >>> import numpy as np
    >>> x = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> layer_conditioning(model, [(x, np.zeros((2, 2)))], loss="mse")["dense"].inputs.kappa()
    4.0
    """
    signals = model
    if not isinstance(signals, LinearSignals):
        signals = LinearSignals(model, layers=layers, loss=loss, training=training, scale=scale)
    moments: dict[str, tuple[Covariance, Covariance]] = {}
    for batch in pairs_of(batches):
        pairs = signals(*batch)
        for place in list(pairs):
            x, dh = pairs.pop(place)
            if place not in moments:
                moments[place] = Covariance(x.shape[-1]), Covariance(dh.shape[-1])
            moments[place][0].update(x)
            moments[place][1].update(dh)
    result = {}
    for place in list(moments):
        of_x, of_dh = moments.pop(place)
        result[place] = LayerConditioning(
            Spectrum.of(of_x.moment, largest_only=largest_only),
            Spectrum.of(of_dh.moment, largest_only=largest_only),
        )
    return result
