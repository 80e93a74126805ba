"""Initial kernels of the pairs that SeqNets are made of."""

import math
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo import checks
from zoo.errors import ZooError
from zoo.initializers.orthonormal import output_groups
from zoo.types import Tensor

# The paper's letters, which stand in configurations and on cards, by the words for them.
INITS = {"random": "R", "orthogonal": "O", "linear": "L"}


def init_letter(init: str) -> str:
    """The paper's letter of "random", "orthogonal" or "linear"; a letter is its own."""
    letter = INITS.get(init, init) if isinstance(init, str) else init
    if letter not in INITS.values():
        raise ZooError(
            "init must be one of 'random', 'orthogonal', 'linear', or for short one of 'R', 'O', "
            f"'L'. Received: init={init!r}"
        )
    return letter


class _SeqKernel(keras.initializers.Initializer):
    """What both kernels of a pair share: the columns that they are drawn from."""

    def __init__(self, init: str, seed: int | None) -> None:
        self.init = init_letter(init)
        self.seed = checks.seed(seed)
        # As Keras's own initializers do: unseeded ones follow keras.utils.set_random_seed.
        self._draw_seed = random.randint(1, 2**31 - 1) if self.seed is None else self.seed

    def _columns(self, inputs: int, hidden: int, count: int) -> np.ndarray:
        """(hidden, count): the columns of W, (hidden, inputs), then further ones like them.

        The first columns do not depend on `count`, so both kernels of a pair find the same W
        though neither sees the other.
        """
        if hidden < inputs and self.init == "O":
            raise ZooError(
                "init 'orthogonal' needs at least as many hidden channels as inputs. "
                f"Received: inputs={inputs}, hidden={hidden}"
            )
        if self.init == "L" and (hidden % 2 or hidden < 2 * inputs):
            raise ZooError(
                "init 'linear' needs an even number of hidden channels, at least 2 * inputs. "
                f"Received: inputs={inputs}, hidden={hidden}"
            )
        rng = np.random.default_rng([self._draw_seed, inputs, hidden])
        w = rng.standard_normal((max(count, inputs), hidden)).T
        if self.init == "R":
            return w[:, :count] * np.sqrt(2 / hidden)
        if self.init == "L":
            r = _orthonormal(w[: hidden // 2, :inputs])
            w[:, :inputs] = np.concatenate([r, -r])
        for group in output_groups(hidden, w.shape[1]):
            w[:, group] = _orthonormal(w[:, group])
        return w[:, :count] * np.sqrt(2)


@keras.saving.register_keras_serializable("zoo")
class SeqExpand(_SeqKernel):
    """First kernel of a pair M^T ReLU(W x), with W of shape (hidden, inputs), hidden >= inputs.

    * "random" or "R": W_ij ~ N(0, 2 / hidden).
    * "orthogonal" or "O": W = sqrt(2) R with R^T R = I.
    * "linear" or "L": W = [R; -R] with R^T R = I. With M = W the pair is linear: x itself.

    In each case the columns of W have a mean square length of 2. (The paper prints the linear one
    with a factor sqrt(2), which would make it 4; the paper's program has none.) Of a convolution
    kernel only the centre tap is filled, the others are zero.

    Args:
        init: str, "random", "orthogonal" or "linear", or the paper's letter.
        seed: int or None. With the same int, `SeqContract` starts with M = W.

    Call arguments:
        shape: (…, inputs, hidden), any sizes before the last two odd.
        dtype: str or None, for Keras's `floatx`.

    Returns:
        Tensor of `shape`.

    Raises:
        ZooError: for an unknown init; when called, for fewer hidden channels than it needs or an
            even kernel size.

    References:
        - Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", sections 4.1 and 4.2,
          appendix B.2 (R-Init, O-Init, L-Init).

    Example:

    >>> w = np.array(zoo.initializers.SeqExpand("linear", seed=1)((4, 8))).T
    >>> m = np.array(zoo.initializers.SeqContract("linear", seed=1)((8, 4)))
    >>> np.allclose(w, m, atol=1e-6)
    True
    >>> x = np.arange(4.0)
    >>> np.round(m.T @ np.maximum(w @ x, 0), 4).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(self, init: str = "R", seed: int | None = None) -> None:
        super().__init__(init, seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        *_, inputs, hidden = _kernel_shape(shape)
        return _centred(self._columns(inputs, hidden, inputs).T, shape, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"init": self.init, "seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class SeqContract(_SeqKernel):
    """Second kernel of a pair: gain * M with M = W of the `SeqExpand` of the same seed.

    Where the pair has more outputs than inputs, M has further columns, drawn as those of W are:
    normal ones for "random"; for the others orthogonal to the earlier ones and as long, as far as
    that goes (`hidden` columns; then a new group of orthogonal columns begins). Where it has
    fewer, M is the first columns of W.

    Args:
        init: str, as for `SeqExpand`.
        inputs: int or None. Channels that enter the pair; None where as many leave it.
        gain: float. Factor on M; the published program has 0.5 for a free kernel with "linear".
        seed: int or None. With the int of the `SeqExpand`, M = W.

    Call arguments:
        shape: (…, hidden, outputs), any sizes before the last two odd.
        dtype: str or None, for Keras's `floatx`.

    Returns:
        Tensor of `shape`.

    Raises:
        ZooError: as `SeqExpand`.

    References:
        - Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", sections 4.1 and 4.2,
          appendix B.2.

    Example:

    >>> contract = zoo.initializers.SeqContract("orthogonal", inputs=4, seed=1)
    >>> m = np.array(contract((8, 6)))
    >>> np.allclose(m.T @ m, 2 * np.eye(6), atol=1e-5)
    True
    """

    def __init__(
        self,
        init: str = "R",
        inputs: int | None = None,
        gain: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(init, seed)
        self.inputs = None if inputs is None else checks.integer("inputs", inputs, least=1)
        self.gain = checks.number("gain", gain, "a finite number", math.isfinite)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        *_, hidden, outputs = _kernel_shape(shape)
        columns = self._columns(self.inputs or outputs, hidden, outputs)
        return _centred(self.gain * columns, shape, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"init": self.init, "inputs": self.inputs, "gain": self.gain, "seed": self.seed}


def _orthonormal(w: np.ndarray) -> np.ndarray:
    """Gram-Schmidt over the columns."""
    q, r = np.linalg.qr(w)
    return q * np.sign(np.diag(r))


def _kernel_shape(shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(map(int, shape))
    if len(shape) < 2 or any(size % 2 == 0 for size in shape[:-2]):
        raise ZooError(
            "A kernel of a pair has the shape (…, in, out), with odd sizes before the last two. "
            f"Received: shape={shape}"
        )
    return shape


def _centred(matrix: np.ndarray, shape: Sequence[int], dtype: Any) -> Tensor:
    kernel = np.zeros(_kernel_shape(shape))
    kernel[tuple(size // 2 for size in kernel.shape[:-2])] = matrix
    return keras.ops.convert_to_tensor(kernel, dtype=dtype or keras.config.floatx())
