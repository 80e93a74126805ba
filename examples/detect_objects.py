"""Fine-tunes a detector on photos in COCO's format, measures it, and draws what it finds.

    python -m examples.detect_objects FOLDER --backbone-weights CHECKPOINT

FOLDER holds the photos and JSON files of annotations, see docs/detection.md. CHECKPOINT is one of
a classifier with the detector's backbone; without it the backbone learns from nothing, too.
"""

import argparse

import keras
import numpy as np

import zoo
from zoo.detection.prediction import find_objects
from zoo.preprocessing import IMAGENET


def batches(photos, size: tuple[int, int], how, count: int = 2):
    """Random photos without end, half of them mirrored, as a detector learns from them."""
    rng = np.random.default_rng(0)
    while True:
        rows = [
            zoo.detection.to_arrays(photos[i], size, flipped=rng.random() < 0.5, preprocess=how)
            for i in rng.integers(len(photos), size=count)
        ]
        yield ({key: np.stack([row[key] for row in rows]) for key in rows[0]},)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--model", default="mask_rcnn_resnet18")
    parser.add_argument("--backbone-weights")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--size", type=int, default=512, help="of the canvas, in pixels")
    parser.add_argument("--measure-on", default="validation", choices=["validation", "train"])
    parser.add_argument("--to", default="objects.png", help="the picture")
    arguments = parser.parse_args(argv)

    photos, others = (
        zoo.detection.read_coco(arguments.folder, split).readable()
        for split in ("train", arguments.measure_on)
    )
    weights, size = arguments.backbone_weights, (arguments.size, arguments.size)
    how = zoo.card(weights).preprocess if weights else IMAGENET
    model = zoo.create(
        arguments.model,
        num_classes=len(photos.labels),
        input_shape=(*size, 3),
        backbone_weights=weights,
        # Fresh statistics of batch normalization are of no use as they are.
        freeze="batch_norm" if weights else None,
    )
    model.compile(
        keras.optimizers.SGD(0.0025, momentum=0.9, global_clipnorm=10.0),
        jit_compile=keras.backend.backend() == "jax",
    )
    model.fit(batches(photos, size, how), steps_per_epoch=arguments.steps, shuffle=False)

    found = [find_objects(model, [photo.pixels()], how, batch_size=1)[0] for photo in others]
    results = zoo.detection.coco_results(
        zip([photo.image_id for photo in others], found, strict=True), others.category_ids
    )
    figures = zoo.detection.evaluate_coco(results, zoo.detection.coco_annotations(others))
    for kind, values in figures.items():
        print(f"{kind}: AP {values['AP']:.3f}, AP50 {values['AP50']:.3f}")
    zoo.detection.draw(others[0].pixels(), found[0], others.labels).save(arguments.to)


if __name__ == "__main__":
    main()
