"""Mask R-CNN, one photo of 512 x 512 pixels: where the time goes, on SeqNet-50 and on others.

Each contender runs the detector as far as its name says, from the backbone on; the ratio is
against the backbone alone, so 0.5 is a detector that takes as long as its backbone once more. In
`inference`, 10 objects are found in the photo (an untrained detector is made to find so many), and
`pasted` brings their masks into the photo's pixels. `training` is a step on 20 objects, its
backbone alone with a loss that is the mean of the levels. `slim` is the whole detector as the
recipe `coco_finetune_cpu` has it: 128 filters in pyramid and heads, 300 proposals and 256 sampled
regions, where the papers have 256, 1000 and 512. The detector costs the same on every backbone but
for the pyramid's first convolutions: rows of `seqnet101` and `vgg19_bn` have the whole detector, as
in the papers, on these. An overhead below 60 % is a ratio above 0.62.
"""

from functools import partial

from benchmarks.common import main, timed

SIDE, FOUND, OBJECTS, SECONDS = 512, 10, 20, 4
PARTS = ("backbone", "+ pyramid and RPN", "+ proposals, NMS", "+ boxes", "+ masks", "+ pasted")
TRAINED = ("backbone", "+ pyramid and RPN", "+ boxes", "+ masks")


def detector(backbone: str = "seqnet50", slim: bool = False, **options):
    import zoo
    from training.recipes import coco_finetune_cpu

    if slim:
        options |= coco_finetune_cpu.RECIPE.model_args
    name = f"mask_rcnn_{backbone}"
    return zoo.create(name, num_classes=80, input_shape=(SIDE, SIDE, 3), **options)


LARGER = ("seqnet101", "vgg19_bn")


def inference(number: int, **options) -> dict[str, float]:
    import keras
    import numpy as np

    from zoo.detection.training_arrays import to_original

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


def training(number: int, **options) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo

    rng = np.random.default_rng(0)
    corner = rng.uniform(0, SIDE - 100, (1, OBJECTS, 2))
    targets = {
        "boxes": np.concatenate([corner, corner + 90], -1).astype("float32"),
        "labels": rng.integers(0, 80, (1, OBJECTS)).astype("int32"),
        "crowd": np.zeros((1, OBJECTS), bool),
        "masks": np.ones((1, OBJECTS, 112, 112), "uint8"),
    }
    inputs = {"image": rng.normal(size=(1, SIDE, SIDE, 3)).astype("float32"), **targets}
    masks = number >= TRAINED.index("+ masks")
    model = detector(masks=masks, **options)

    class UpTo(keras.Model):
        def call(self, inputs):
            levels = model.backbone(inputs["image"], training=True)
            losses = {name: keras.ops.mean(level) for name, level in levels.items()}
            if number == 1:
                scored = model.score_anchors(model.pyramid(levels))
                losses = model._rpn_losses(*scored, inputs)
            self.add_loss(sum(losses.values()))
            return losses

    run = model if number >= TRAINED.index("+ boxes") else UpTo()
    if run is not model:
        run.parts = [model.backbone, *([model.fpn, model.rpn] if number else [])]
        run.seeds = model.seed_generator
    if not masks:
        del inputs["masks"]
    jit = keras.backend.backend() == "jax"
    run.compile(zoo.optimizers.SGD(1e-6, momentum=0.9), jit_compile=jit)
    return {"training": timed(lambda: run.train_on_batch(inputs), SECONDS, warmup=2)}


CONTENDERS, BASELINE = {}, {}
for backend in ("tensorflow", "jax"):
    last, trained = len(PARTS) - 1, len(TRAINED) - 1
    rows = {part: partial(inference, i) for i, part in enumerate(PARTS)}
    rows["slim"] = partial(inference, last, slim=True)
    in_training = {part: partial(training, i) for i, part in enumerate(TRAINED)}
    in_training["slim"] = partial(training, trained, slim=True)
    groups = {f"{backend}, ": rows, f"{backend}, training, ": in_training}
    for name in LARGER:
        for group, run, number in (("", inference, last), ("training, ", training, trained)):
            groups[f"{backend}, {name}, {group}"] = {
                PARTS[0]: partial(run, 0, backbone=name),
                "whole": partial(run, number, backbone=name),
            }
    for prefix, group in groups.items():
        CONTENDERS |= {prefix + row: (backend, run) for row, run in group.items()}
        BASELINE |= {prefix + row: prefix + PARTS[0] for row in group if row != PARTS[0]}

if __name__ == "__main__":
    main("detection", CONTENDERS, BASELINE, rounds=1)
