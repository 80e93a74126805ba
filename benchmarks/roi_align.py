"""ROIAlign of a pyramid in its forms, two images of 512 pixels: the "gather" against "matmul".

`in parts` is the gather in a loop that bounds its memory, `sum` the form that adds one cell after
another; both against the gather at once.

256 channels on strides 4 to 32, as Mask R-CNN takes them: 512 regions in 7x7 bins for the boxes,
128 in 14x14 for the masks, of 16 to 512 pixels. `forward` is inference, `training` has the
gradient for the features besides.
"""

from functools import partial

from benchmarks.common import main, timed

STRIDES = (4, 8, 16, 32)
BINS = 4000  # of an image at a time, as Mask R-CNN reads them
HEADS = {"boxes": (512, 7), "masks": (128, 14)}


def inputs(regions: int):
    import numpy as np

    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2, 512 // s, 512 // s, 256)).astype("float32") for s in STRIDES]
    extent = 2.0 ** rng.uniform(4, 9, (2, regions, 2))
    corner = rng.uniform(0, 512 - extent)
    return maps, np.concatenate([corner, corner + extent], axis=-1).astype("float32")


def steps(function, maps, boxes, jit: bool):
    """Compiled calls: of `function(maps, boxes)`, and with the gradient of its mean square."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        maps, boxes = jax.device_put((maps, boxes))
        forward = jax.jit(function)
        gradient = jax.jit(jax.grad(lambda m, b: (function(m, b) ** 2).mean()))
        return (
            lambda: jax.block_until_ready(forward(maps, boxes)),
            lambda: jax.block_until_ready(gradient(maps, boxes)),
        )
    import tensorflow as tf

    maps, boxes = [tf.constant(m) for m in maps], tf.constant(boxes)

    @tf.function(jit_compile=jit)
    def gradient(maps, boxes):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            loss = tf.reduce_mean(function(maps, boxes) ** 2)
        return tape.gradient(loss, maps)

    forward = tf.function(function, jit_compile=jit)
    return lambda: forward(maps, boxes)[0, 0].numpy(), lambda: gradient(maps, boxes)[0][0].numpy()


def seconds(form: str, jit: bool, bins: int = 0) -> dict[str, float]:
    from zoo.detection.roi_align import pyramid_roi_align

    figures = {}
    for head, (regions, size) in HEADS.items():
        options = {"size": size, "form": form, "at_once": bins // size**2 or None}
        function = partial(pyramid_roi_align, strides=STRIDES, **options)
        forward, training = steps(function, *inputs(regions), jit)
        figures[f"{head}, forward"] = timed(forward, 3, warmup=2)
        figures[f"{head}, training"] = timed(training, 3, warmup=2)
    return figures


PLACES = {"tensorflow": False, "tensorflow, XLA": True, "jax": True}
CONTENDERS = {
    f"{place}, {form}": (place.partition(",")[0], partial(seconds, form, jit))
    for place, jit in PLACES.items()
    for form in ("gather", "sum", "matmul")
}
CONTENDERS |= {
    f"{place}, in parts": (place.partition(",")[0], partial(seconds, "gather", jit, BINS))
    for place, jit in PLACES.items()
}

if __name__ == "__main__":
    main(
        "roi_align",
        CONTENDERS,
        {f"{place}, gather": f"{place}, matmul" for place in PLACES}
        | {f"{place}, sum": f"{place}, gather" for place in PLACES}
        | {f"{place}, in parts": f"{place}, gather" for place in PLACES},
        rounds=1,
    )
