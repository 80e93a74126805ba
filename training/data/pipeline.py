"""Batches of an in-memory image set, in an order that depends on the seed and the epoch alone.

Two pipelines with the same contract: `memory` (NumPy; any backend, no TensorFlow needed) and
`tfdata`. Both give raw pixels; `training.augment.Prepare` does the rest on the device.
"""

import keras
import numpy as np

from training.data import Images
from zoo.errors import ZooError


class MemoryBatches(keras.utils.PyDataset):
    """Shuffled batches (uint8 or float images, labels); a last partial batch is left out.

    The permutation of an epoch is a function of (seed, epoch), so a resumed run sees the batches
    that an uninterrupted one would have seen.
    """

    def __init__(self, images: Images, batch_size: int, seed: int, first_epoch: int = 0):
        super().__init__()
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.epoch = first_epoch
        self._shuffle()

    def _shuffle(self):
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.images.y))

    def __len__(self):
        return len(self.images.y) // self.batch_size

    def __getitem__(self, step):
        index = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        return self.images.x[index], self.images.y[index]

    def on_epoch_end(self):
        self.epoch += 1
        self._shuffle()


def tfdata_batches(images: Images, batch_size: int, seed: int, first_epoch: int, epochs: int):
    """The same as one tf.data.Dataset over all epochs; use with `steps_per_epoch`.

    Batches are read by index as they are needed, ahead of the training step: `images` may hold
    memory-mapped arrays (`np.load(…, mmap_mode="r")`) of sets that are larger than the memory.
    """
    import tensorflow as tf

    n = len(images.y)
    x, y = images.x, images.y

    def batch(epoch, step):
        position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        # A stateless pseudo-random permutation of 0..n-1.
        index = tf.random.experimental.index_shuffle(
            position, seed=tf.stack([tf.constant(seed, tf.int64), epoch]), max_index=n - 1
        )
        pictures, labels = tf.numpy_function(
            lambda i: (x[i], y[i]), [index], (x.dtype, y.dtype), stateful=False
        )
        pictures.set_shape((batch_size, *x.shape[1:]))
        labels.set_shape((batch_size,))
        return pictures, labels

    def epoch_batches(epoch):
        return tf.data.Dataset.range(n // batch_size).map(
            lambda step: batch(epoch, step), num_parallel_calls=2, deterministic=True
        )

    return tf.data.Dataset.range(first_epoch, epochs).flat_map(epoch_batches).prefetch(2)


def batches(images: Images, batch_size: int, seed: int, first_epoch: int, epochs: int, kind: str):
    """The pipeline called `kind`: "memory", "tfdata", or "auto" (tfdata on TensorFlow)."""
    if len(images.y) < batch_size:
        raise ZooError(f"batch_size={batch_size} is more than the {len(images.y)} training images.")
    if kind == "auto":
        kind = "tfdata" if keras.backend.backend() == "tensorflow" else "memory"
    if kind == "memory":
        return MemoryBatches(images, batch_size, seed, first_epoch)
    if kind == "tfdata":
        return tfdata_batches(images, batch_size, seed, first_epoch, epochs)
    raise ZooError(f"pipeline must be 'auto', 'memory' or 'tfdata'. Received: {kind!r}")
