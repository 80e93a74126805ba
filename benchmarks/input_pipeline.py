"""What the input can deliver: 128 images as a batch (128,000 / milliseconds = images per second).

`memory`: images of 32x32 by index, with the random numbers of flip and crop. `crops`: random
windows of JPEGs of 500x375 pixels (about 100 kB, as ImageNet's) scaled to 224x224 by Pillow in so
many threads, against tf.image.decode_and_crop_jpeg, which decodes less than the whole picture, and
tf.image.resize in a tf.data pipeline of as many threads. Pillow's interpolation is antialiased, as
that of evaluation is; without, tf.image is faster, but shrinks another picture than is evaluated.
"""

import functools
import io

from benchmarks.common import main, timed

BATCH, SIZE = 128, (224, 224)
SECONDS = 3


def memory() -> dict[str, float]:
    import numpy as np

    from training.data import Images
    from training.data.pipeline import Batches

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (50_000, 32, 32, 3), dtype="uint8")
    batches = Batches(Images(x, np.zeros(len(x), "int64"), ("a",)), BATCH, seed=0, draws=3)
    order = batches.order(0)
    return {"memory": timed(lambda: batches.batch(order, 0, 5, 0), SECONDS)}


def jpegs() -> list[bytes]:
    """Colours that change slowly, with noise as of a camera."""
    import numpy as np
    from PIL import Image

    files = []
    for seed in range(BATCH):
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype="uint8"))
        fine = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), "float32")
        noisy = np.clip(fine + rng.normal(0, 10, fine.shape), 0, 255).astype("uint8")
        file = io.BytesIO()
        Image.fromarray(noisy).save(file, "JPEG", quality=92)
        files.append(file.getvalue())
    return files


def draws():
    import numpy as np

    from training.data import Pictures

    return np.random.default_rng(0).random((BATCH, Pictures.DRAWS), "float32")


def pillow(threads: int) -> dict[str, float]:
    from training.data import Pictures

    pictures, numbers = Pictures(jpegs(), threads=threads), draws()
    return {"crops": timed(lambda: pictures.resized_crops(range(BATCH), numbers, SIZE), SECONDS)}


def tf_image(threads: int, antialias: bool) -> dict[str, float]:
    import tensorflow as tf

    from training.data.pictures import window

    boxes = [window(375, 500, row) for row in draws().astype("float64").tolist()]
    windows = [(top, left, bottom - top, right - left) for left, top, right, bottom in boxes]

    def crop(data, place):
        image = tf.image.decode_and_crop_jpeg(data, place, channels=3)
        return tf.cast(tf.image.resize(image, SIZE, antialias=antialias), "uint8")

    dataset = tf.data.Dataset.from_tensor_slices((jpegs(), windows)).repeat()
    dataset = dataset.map(crop, num_parallel_calls=threads).batch(BATCH)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    batches = iter(dataset.with_options(options))
    return {"crops": timed(lambda: next(batches), SECONDS)}


CONTENDERS: dict = {"pipeline": ("jax", memory)}
BASELINE = {}
for n in (1, 2):
    ours, same, rough = (
        f"{who}, {n} threads" for who in ("Pillow", "tf.image", "tf.image not antialiased")
    )
    CONTENDERS[same] = ("tensorflow", functools.partial(tf_image, n, antialias=True))
    CONTENDERS[ours] = ("jax", functools.partial(pillow, n))
    CONTENDERS[rough] = ("tensorflow", functools.partial(tf_image, n, antialias=False))
    BASELINE |= {ours: same, rough: ours}

if __name__ == "__main__":
    main("input_pipeline", CONTENDERS, BASELINE)
