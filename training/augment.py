"""Preparation of image batches inside the training step, on the device that trains."""

import math

import keras
import numpy as np
from keras import ops

from zoo.preprocessing import Preprocess, normalize

# Directions and deviations of colour over ImageNet's pixels, on the scale 0..1, as Torch's
# published ResNet program has them.
COLOR_DEVIATIONS = np.array([0.2175, 0.0188, 0.0045], "float32")
COLOR_DIRECTIONS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]], "float32"
)
LUMA = np.array([0.299, 0.587, 0.114], "float32")


class Prepare(keras.layers.Layer):
    """Raw pixels to model input: random changes while training, then normalization.

    Being a layer, it runs on any backend in the compiled step, and uint8 travels to the device.
    The random numbers come with the images: an image is changed in the same way on every backend,
    on any number of devices and after a resume.

    Args:
        preprocess: the normalization of the checkpoint to be.
        flip: whether to mirror each image with probability 1/2.
        crop: pixels of reflection padding on each side, from which a window of the image's own
            size is cut at a random offset; 0 for none.
        jitter: brightness, contrast and saturation, in this order, are each multiplied by a
            factor of 1 - jitter to 1 + jitter; 0 for none.
        lighting: standard deviation of the noise along the three directions in which the colours
            of ImageNet vary (Krizhevsky et al., "ImageNet Classification with Deep Convolutional
            Neural Networks", section 4.1, takes 0.1); 0 for none.

    Call arguments:
        images: (N, H, W, C) uint8 or float on the scale 0..255.
        draws: (N, `draws`) float32, uniform in [0, 1); needed while training where `draws` > 0.

    Returns:
        (N, H, W, C) of the compute dtype.
    """

    def __init__(
        self, preprocess: Preprocess, flip=False, crop=0, jitter=0.0, lighting=0.0, **kwargs
    ):
        # Of draws rounded to bfloat16 some are 1, and most offsets are other ones.
        super().__init__(autocast=False, **kwargs)
        self.preprocess, self.flip, self.crop = preprocess, flip, crop
        self.jitter, self.lighting = jitter, lighting

    @property
    def draws(self) -> int:
        """The number of random numbers that an image takes."""
        return (
            int(self.flip) + 2 * bool(self.crop) + 3 * bool(self.jitter) + 3 * bool(self.lighting)
        )

    def call(self, images, draws=None, training=False):
        images = ops.cast(images, "float32")
        if training and draws is not None:
            columns = iter(ops.split(ops.cast(draws, "float32"), self.draws, axis=1))
            if self.crop:
                images = self._crop(images, next(columns), next(columns))
            if self.flip:
                mirrored = ops.reshape(next(columns), (-1, 1, 1, 1)) < 0.5
                images = ops.where(mirrored, ops.flip(images, axis=2), images)
            if self.jitter:
                images = self._jitter(images, columns)
            if self.lighting:
                images = self._lighting(images, ops.concatenate(list(columns), axis=1))
        return ops.cast(normalize(images, self.preprocess), self.compute_dtype)

    def _crop(self, images, *draws):
        height, width = images.shape[1], images.shape[2]
        pad = self.crop
        images = ops.pad(images, [[0, 0], [pad, pad], [pad, pad], [0, 0]], mode="reflect")
        for axis, side, draw in zip((1, 2), (height, width), draws, strict=True):
            start = ops.cast(ops.floor(draw * (2 * pad + 1)), "int32")
            index = start + ops.expand_dims(ops.arange(side, dtype="int32"), 0)
            index = ops.reshape(index, (-1, side, 1, 1) if axis == 1 else (-1, 1, side, 1))
            images = ops.take_along_axis(images, index, axis=axis)
        return images

    def _jitter(self, images, columns):
        def factor():
            return ops.reshape(1 + self.jitter * (2 * next(columns) - 1), (-1, 1, 1, 1))

        def grey(images):
            if images.shape[-1] == 1:
                return images
            return ops.sum(images * ops.convert_to_tensor(LUMA), axis=-1, keepdims=True)

        images = images * factor()
        by = factor()
        images = images * by + ops.mean(grey(images), axis=(1, 2), keepdims=True) * (1 - by)
        by = factor()
        return images * by + grey(images) * (1 - by)

    def _lighting(self, images, draws):
        # Normal from uniform numbers; the ends of [0, 1) would be infinite.
        normal = math.sqrt(2) * ops.erfinv(ops.clip(2 * draws - 1, -1 + 1e-6, 1 - 1e-6))
        along = self.lighting * normal * ops.convert_to_tensor(COLOR_DEVIATIONS)
        shift = 255 * ops.matmul(along, ops.convert_to_tensor(COLOR_DIRECTIONS.T))
        return images + ops.reshape(shift, (-1, 1, 1, 3))
