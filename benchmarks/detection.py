"""Mask R-CNN, one photo of 512 x 512 pixels: where the time goes, on SeqNet-50 and on others.

Each contender runs the detector as far as its name says, from the backbone on; the ratio is
against the backbone alone, so 0.5 is a detector that takes as long as its backbone once more. In
`inference`, 10 objects are found in the photo (an untrained detector is made to find so many), and
`pasted` brings their masks into the photo's pixels. `training` is a step on 20 objects, its
backbone alone against a loss that is the mean of the levels. `slim` is the whole detector with
128 filters in pyramid and heads and 300 proposals, where the papers have 256 and 1000. The detector
costs the same on every backbone but for the pyramid's first convolutions: rows of `seqnet101` and
`vgg19_bn` have the whole detector, with the papers' widths, on these. An overhead below 60 % is a
ratio above 0.62.
"""

from functools import partial

from benchmarks.common import main, timed

SIDE, FOUND, OBJECTS, SECONDS = 512, 10, 20, 4
PARTS = ("backbone", "+ pyramid and RPN", "+ proposals, NMS", "+ boxes", "+ masks", "+ pasted")


def detector(backbone: str = "seqnet50", **options):
    import zoo

    name = f"mask_rcnn_{backbone}"
    return zoo.create(name, num_classes=80, input_shape=(SIDE, SIDE, 3), **options)


LARGER = ("seqnet101", "vgg19_bn")
SLIM = {"fpn_filters": 128, "proposals": 300, "roi_samples": 256}


def inference(number: int, **options) -> dict[str, float]:
    import keras
    import numpy as np

    from zoo.detection.examples import to_original

    masks = number >= PARTS.index("+ masks")
    model = detector(score_threshold=0.0, detections=FOUND, masks=masks, **options)
    whole = number >= PARTS.index("+ boxes")

    class UpTo(keras.Model):
        def call(self, image):
            levels = model.backbone(image)
            if number == 0:
                return levels
            logits, deltas = model.score_anchors(model.pyramid(levels))
            if number == 1:
                return logits, deltas
            return model.propose(logits, deltas, training=False)

    run = model if whole else UpTo()
    image = np.random.default_rng(0).normal(size=(1, SIDE, SIDE, 3)).astype("float32")
    run.compile(jit_compile=keras.backend.backend() == "jax")

    def step():
        found = run.predict_on_batch(image)
        if number == len(PARTS) - 1:
            rows = {key: np.asarray(value[0]) for key, value in found.items()}
            to_original(rows, (1.0, 1.0), (SIDE, SIDE))

    return {"inference": timed(step, SECONDS, warmup=2)}


def training(alone: bool, **options) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo

    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, SIDE, SIDE, 3)).astype("float32")
    jit = keras.backend.backend() == "jax"
    model = detector(**options)
    if alone:

        class Alone(keras.Model):
            def call(self, image):
                levels = model.backbone(image, training=True)
                self.add_loss(sum(keras.ops.mean(level) for level in levels.values()))
                return levels

        run = Alone()
        run.backbone = model.backbone
        inputs = image
    else:
        run = model
        corner = rng.uniform(0, SIDE - 100, (1, OBJECTS, 2))
        inputs = {
            "image": image,
            "boxes": np.concatenate([corner, corner + 90], -1).astype("float32"),
            "labels": rng.integers(0, 80, (1, OBJECTS)).astype("int32"),
            "crowd": np.zeros((1, OBJECTS), bool),
            "masks": np.ones((1, OBJECTS, 112, 112), "uint8"),
        }
    run.compile(zoo.optimizers.SGD(1e-6, momentum=0.9), jit_compile=jit)
    return {"training": timed(lambda: run.train_on_batch(inputs), SECONDS, warmup=2)}


BACKENDS = ("tensorflow", "jax")
CONTENDERS, BASELINE = {}, {}
for backend in BACKENDS:
    for number, part in enumerate(PARTS):
        CONTENDERS[f"{backend}, {part}"] = (backend, partial(inference, number))
    last = len(PARTS) - 1
    CONTENDERS[f"{backend}, slim"] = (backend, partial(inference, last, **SLIM))
    for key in (*PARTS[1:], "slim"):
        BASELINE[f"{backend}, {key}"] = f"{backend}, {PARTS[0]}"
    CONTENDERS[f"{backend}, training, backbone"] = (backend, partial(training, True))
    for key, options in (("whole", {}), ("slim", SLIM)):
        CONTENDERS[f"{backend}, training, {key}"] = (backend, partial(training, False, **options))
        BASELINE[f"{backend}, training, {key}"] = f"{backend}, training, backbone"
    for name in LARGER:
        row, options = f"{backend}, {name}", {"backbone": name}
        CONTENDERS |= {
            f"{row}, backbone": (backend, partial(inference, 0, **options)),
            f"{row}, whole": (backend, partial(inference, last, **options)),
            f"{row}, training, backbone": (backend, partial(training, True, **options)),
            f"{row}, training, whole": (backend, partial(training, False, **options)),
        }
        BASELINE[f"{row}, whole"] = f"{row}, backbone"
        BASELINE[f"{row}, training, whole"] = f"{row}, training, backbone"

if __name__ == "__main__":
    main("detection", CONTENDERS, BASELINE, rounds=1)
