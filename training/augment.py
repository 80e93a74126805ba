"""Preparation of image batches inside the training step, on the device that trains."""

import keras
from keras import ops

from zoo.preprocessing import Preprocess, normalize


class Prepare(keras.layers.Layer):
    """Raw pixels to model input: random flip and crop while training, then normalization.

    Being a layer, it runs on any backend in the compiled step, uint8 travels to the device, and
    the state of its random numbers is a variable that checkpoints carry.

    Args:
        how: the normalization of the checkpoint to be.
        flip: whether to mirror each image with probability 1/2.
        crop: pixels of reflection padding on each side, from which a window of the image's own
            size is cut at a random offset per image; 0 for none.
        seed: int.

    Call arguments:
        images: (N, H, W, C) uint8 or float on the scale 0..255.

    Returns:
        (N, H, W, C) of the compute dtype.
    """

    def __init__(self, how: Preprocess, flip: bool = False, crop: int = 0, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.how, self.flip, self.crop = how, flip, crop
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        images = ops.cast(images, "float32")
        if training and self.crop:
            images = self._random_crop(images)
        if training and self.flip:
            draw = keras.random.uniform((ops.shape(images)[0], 1, 1, 1), seed=self.random)
            images = ops.where(draw < 0.5, ops.flip(images, axis=2), images)
        return ops.cast(normalize(images, self.how), self.compute_dtype)

    def _random_crop(self, images):
        n, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
        pad = self.crop
        images = ops.pad(images, [[0, 0], [pad, pad], [pad, pad], [0, 0]], mode="reflect")
        for axis, side in ((1, height), (2, width)):
            start = keras.random.randint((n, 1), 0, 2 * pad + 1, seed=self.random)
            index = start + ops.expand_dims(ops.arange(side, dtype="int32"), 0)
            index = ops.reshape(index, (-1, side, 1, 1) if axis == 1 else (-1, 1, side, 1))
            images = ops.take_along_axis(images, index, axis=axis)
        return images
