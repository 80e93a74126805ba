"""Batches as functions of seed, epoch and step: the same for any backend, on any number of
devices and hosts, and after a resume in the middle of an epoch.

Two ways to feed them: `memory` (a PyDataset; any backend, no TensorFlow needed) and `tfdata`.
Both give raw pixels and uniform random numbers; `training.augment.Prepare` does the rest on the
device.
"""

import dataclasses
import time
from dataclasses import dataclass

import keras
import numpy as np

import zoo
from training.data import Images
from training.data.mixing import check as check_mixing
from training.data.mixing import mix
from training.data.pictures import DRAWS, LEAST_AREA, larger_windows, resized_crops
from zoo.errors import ZooError
from zoo.preprocessing import Preprocess


@dataclass(frozen=True)
class Share:
    """The parts of every batch that this process computes.

    Attributes:
        parts: into how many equal parts the batch is cut.
        mine: the numbers of the parts of this process, each a batch to its engine.
        devices: how many devices compute on the parts; batches are multiples of it.
    """

    parts: int = 1
    mine: tuple[int, ...] = (0,)
    devices: int = 1


@dataclass(frozen=True)
class Batches:
    """The batches of a training, cut for one process.

    An epoch is a random permutation of the set by (seed, epoch); what does not fill a batch at its
    end is left out, other images each time.

    Attributes:
        images: the training set.
        size: images in a batch, over all processes.
        seed: of order and augmentation.
        draws: random numbers that `Prepare` takes for an image.
        crops: for images that are cut at random from larger pictures, else None.
        share: the parts of this process.
        least_area: of those crops, as a share of the picture; at least `LEAST_AREA`.
        sides: sides of square crops by epoch, the last one for all that follow; () for the size
            of `crops`.
        mixup, cutmix: parameters of the Beta distributions of `training.data.mixing`; 0 for none.
        soft: whether labels are rows of probabilities, (N, classes) float32; with mixup or CutMix
            they are in any case.
    """

    images: Images
    size: int
    seed: int
    draws: int = 0
    crops: Preprocess | None = None
    share: Share = Share()
    least_area: float = LEAST_AREA
    sides: tuple[int, ...] = ()
    mixup: float = 0.0
    cutmix: float = 0.0
    soft: bool = False

    def __post_init__(self):
        check_mixing(self.mixup, self.cutmix)
        if len(self.images.y) < self.size:
            raise ZooError(
                f"A batch of {self.size} is more than the {len(self.images.y)} training images."
            )
        if self.size % self.share.parts:
            raise ZooError(
                f"A batch of {self.size} images cannot be cut into {self.share.parts} equal parts. "
                "Choose a batch_size that is a multiple of it (times accumulate)."
            )

    def __len__(self):
        return len(self.images.y) // self.size

    def order(self, epoch: int) -> np.ndarray:
        """The permutation of an epoch."""
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.images.y))

    def batch(self, order: np.ndarray, epoch: int, step: int, part: int) -> tuple[dict, np.ndarray]:
        """({"image": …, "draws": …}, labels) of one part of a batch."""
        length = self.size // self.share.parts
        rows = np.arange(part * length, (part + 1) * length)
        mixing = self.mixup or self.cutmix
        if mixing:  # the partner of a picture is the next one of the whole batch
            rows = np.append(rows, (rows[-1] + 1) % self.size)
        index = order[step * self.size : (step + 1) * self.size][rows]
        cut = getattr(self.images.x, "DRAWS", DRAWS) if self.crops else 0
        rng = np.random.default_rng([self.seed, epoch, step])
        draws = rng.random((self.size, cut + self.draws), "float32")[rows]
        if self.crops:
            windows = larger_windows(draws[:, :cut], self.least_area)
            pixels = resized_crops(self.images.x, index, windows, self._crop(epoch))
        else:
            pixels = self.images.x[index]
        y = self.images.y[index]
        if mixing:
            rows, draws = rows[:-1], draws[:-1]
            pixels, y = self._mixed(
                pixels, y, np.random.default_rng([self.seed, epoch, step, 1]), rows
            )
        elif self.soft:
            y = one_hot(y, len(self.images.labels))
        inputs = {"image": pixels}
        if self.draws:
            inputs["draws"] = draws[:, cut:]
        return inputs, y

    def _crop(self, epoch: int) -> tuple[int, int]:
        if not self.sides:
            return self.crops.size
        side = self.sides[min(epoch, len(self.sides) - 1)]
        return side, side

    def _mixed(self, pixels, y, rng: np.random.Generator, rows: np.ndarray):
        """Pictures and labels mixed with those that follow them."""
        alphas = (self.mixup, self.cutmix)
        shares = [rng.beta(a, a, self.size) if a else np.ones(self.size) for a in alphas]
        draws = rng.random((self.size, 3))
        return mix(
            pixels[:-1],
            pixels[1:],
            y[:-1],
            y[1:],
            len(self.images.labels),
            np.stack(shares, axis=1)[rows],
            draws[rows],
            mixup=self.mixup > 0,
            cutmix=self.cutmix > 0,
        )

    def epoch(self, epoch: int, first: int, kind: str):
        """What `fit` takes for the steps from `first` on of one epoch, by the way called `kind`."""
        order = self.order(epoch)

        def item(i: int):
            step, turn = divmod(i, len(self.share.mine))
            return self.batch(order, epoch, first + step, self.share.mine[turn])

        return feed(item, (len(self) - first) * len(self.share.mine), kind)

    def images_per_second(self, seconds: float = 0.5) -> float:
        """What this process can read alone, measured over so many seconds."""
        order, count, began = self.order(0), 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            count += len(self.batch(order, 0, count % len(self), self.share.mine[0])[1])
        return count / (time.perf_counter() - began)


def one_hot(y: np.ndarray, classes: int) -> np.ndarray:
    """(N,) integer labels as (N, classes) float32 rows of probabilities."""
    return np.eye(classes, dtype="float32")[y]


def evaluation(
    images: Images,
    preprocess: Preprocess,
    draws: int,
    share: Share,
    size: int,
    kind: str,
    *,
    soft: bool = False,
):
    """What `evaluate` takes for a whole set, and its number of steps.

    Labels are rows of probabilities if `soft`.

    The last batch is filled up with images of weight 0, so that all have one shape and any number
    of devices can share them.
    """
    size = -(-min(size, len(images.y)) // share.devices) * share.devices
    length = size // share.parts

    def item(i: int):
        step, turn = divmod(i, len(share.mine))
        first = step * size + share.mine[turn] * length
        index = np.arange(first, first + length)
        known = index < len(images.y)
        index = np.where(known, index, 0)
        inputs = {"image": centred(images.x, index, preprocess)}
        if draws:
            inputs["draws"] = np.zeros((length, draws), "float32")
        y = images.y[index]
        y = one_hot(y, len(images.labels)) if soft else y
        return inputs, y, known.astype("float32")

    steps = -(-len(images.y) // size)
    return feed(item, steps * len(share.mine), kind), steps


def centred(x, index: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """Pixels of the model's size on the scale 0..255, resized and cut from larger pictures."""
    if isinstance(x, np.ndarray) and x.shape[1:3] == tuple(preprocess.size):
        return x[index]
    channels = preprocess.channels
    unchanged = dataclasses.replace(
        preprocess, scale=1.0, mean=(0.0,) * channels, std=(1.0,) * channels
    )
    return np.rint(zoo.preprocess(unchanged, pictures(x, index))).astype("uint8")


def pictures(x, index: np.ndarray):
    """What `zoo.preprocess` takes: rows of an array, or decoded pictures of any sizes."""
    return x[index] if isinstance(x, np.ndarray) else [x[int(i)] for i in index]


def feed(item, count: int, kind: str):
    """`item(0)`, …, `item(count - 1)` as a PyDataset ("memory") or tf.data.Dataset ("tfdata")."""
    if kind == "auto":
        kind = "tfdata" if keras.backend.backend() == "tensorflow" else "memory"
    if kind == "memory":
        return _Sequence(item, count)
    if kind == "tfdata":
        return _dataset(item, count)
    raise ZooError(f"pipeline must be 'auto', 'memory' or 'tfdata'. Received: {kind!r}")


class _Sequence(keras.utils.PyDataset):
    def __init__(self, item, count: int):
        super().__init__(workers=1, max_queue_size=4)
        self.item, self.count = item, count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return self.item(i)


def _dataset(item, count: int):
    """Made in threads of their own, ahead of the training step."""
    import tensorflow as tf

    shapes = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), item(0))
    flat = tf.nest.flatten(shapes)

    def load(i):
        tensors = tf.numpy_function(
            lambda i: tf.nest.flatten(item(int(i))), [i], [s.dtype for s in flat], stateful=False
        )
        for tensor, spec in zip(tensors, flat, strict=True):
            tensor.set_shape(spec.shape)
        return tf.nest.pack_sequence_as(shapes, tensors)

    # There is nothing to tune, and the tuner's thread delays the end of an epoch: it sleeps for
    # intervals that double up to a minute, and TensorFlow may wait until it wakes.
    options = tf.data.Options()
    options.autotune.enabled = False
    made = tf.data.Dataset.range(count).map(load, num_parallel_calls=2, deterministic=True)
    return made.prefetch(2).with_options(options)
