"""Initial kernels of the pairs that SeqNets are made of."""

import random

import keras
import numpy as np

from zoo.initializers.orthonormal import output_groups

INITS = ("R", "O", "L")


class _SeqKernel(keras.initializers.Initializer):
    def __init__(self, init: str, seed: int | None):
        if init not in INITS:
            raise ValueError(f"init must be one of 'R', 'O', 'L'. Received: init={init!r}")
        self.init = init
        self.seed = seed
        # As Keras's own initializers do: unseeded ones follow keras.utils.set_random_seed.
        self._draw_seed = seed if seed is not None else random.randint(1, 2**31 - 1)

    def _columns(self, inputs: int, hidden: int, count: int) -> np.ndarray:
        """(hidden, count): the columns of W, (hidden, inputs), then further ones like them.

        The first columns do not depend on `count`, so both kernels of a pair find the same W
        though neither sees the other.
        """
        if hidden < inputs and self.init == "O":
            raise ValueError(
                "init 'O' needs at least as many hidden channels as inputs. "
                f"Received: inputs={inputs}, hidden={hidden}"
            )
        if self.init == "L" and (hidden % 2 or hidden < 2 * inputs):
            raise ValueError(
                "init 'L' needs an even number of hidden channels, at least 2 * inputs. "
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

    * "R": W_ij ~ N(0, 2 / hidden).
    * "O": W = sqrt(2) R with R^T R = I.
    * "L": W = [R; -R] with R^T R = I. With M = W the pair is linear: x itself.

    In each case the columns of W have a mean square length of 2. (The paper prints "L" with a
    factor sqrt(2), which would make it 4; the paper's program has none.) Of a convolution kernel
    only the centre tap is filled, the others are zero.

    Source: Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", sections 4.1, 4.2 and
    B.2.

    Args:
        init: "R", "O" or "L".
        seed: int or None. With the same int, `SeqContract` starts with M = W.

    Call arguments:
        shape: (…, inputs, hidden), any sizes before the last two odd.

    Raises:
        ValueError: for an unknown init, fewer hidden channels than it needs, an even kernel size.

    Example:

    >>> expand = keras.layers.Dense(512, kernel_initializer=zoo.initializers.SeqExpand(seed=1))
    >>> contract = keras.layers.Dense(256, kernel_initializer=zoo.initializers.SeqContract(seed=1))
    """

    def __init__(self, init: str = "R", seed: int | None = None):
        super().__init__(init, seed)

    def __call__(self, shape, dtype=None):
        *_, inputs, hidden = _kernel_shape(shape)
        return _centred(self._columns(inputs, hidden, inputs).T, shape, dtype)

    def get_config(self):
        return {"init": self.init, "seed": self.seed}


@keras.saving.register_keras_serializable("zoo")
class SeqContract(_SeqKernel):
    """Second kernel of a pair: gain * M with M = W of the `SeqExpand` of the same seed.

    Where the pair has more outputs than inputs, M has further columns, drawn as those of W are:
    normal ones for "R"; for "O" and "L" orthogonal to the earlier ones and as long, as far as
    that goes (`hidden` columns; then a new group of orthogonal columns begins). Where it has
    fewer, M is the first columns of W.

    Source: as `SeqExpand`.

    Args:
        init: "R", "O" or "L".
        inputs: channels that enter the pair; None where as many leave it.
        gain: float. Factor on M; the published program has 0.5 for a free kernel with "L".
        seed: int or None. With the int of the `SeqExpand`, M = W.

    Call arguments:
        shape: (…, hidden, outputs), any sizes before the last two odd.

    Raises:
        ValueError: as `SeqExpand`.
    """

    def __init__(
        self,
        init: str = "R",
        inputs: int | None = None,
        gain: float = 1.0,
        seed: int | None = None,
    ):
        super().__init__(init, seed)
        self.inputs = inputs
        self.gain = float(gain)

    def __call__(self, shape, dtype=None):
        *_, hidden, outputs = _kernel_shape(shape)
        columns = self._columns(self.inputs or outputs, hidden, outputs)
        return _centred(self.gain * columns, shape, dtype)

    def get_config(self):
        return {"init": self.init, "inputs": self.inputs, "gain": self.gain, "seed": self.seed}


def _orthonormal(w: np.ndarray) -> np.ndarray:
    """Gram-Schmidt over the columns."""
    q, r = np.linalg.qr(w)
    return q * np.sign(np.diag(r))


def _kernel_shape(shape) -> tuple[int, ...]:
    shape = tuple(map(int, shape))
    if len(shape) < 2 or any(size % 2 == 0 for size in shape[:-2]):
        raise ValueError(
            "A kernel of a pair has the shape (…, in, out), with odd sizes before the last two. "
            f"Received: shape={shape}"
        )
    return shape


def _centred(matrix: np.ndarray, shape, dtype):
    kernel = np.zeros(_kernel_shape(shape))
    kernel[tuple(size // 2 for size in kernel.shape[:-2])] = matrix
    return keras.ops.convert_to_tensor(kernel, dtype=dtype or keras.config.floatx())
