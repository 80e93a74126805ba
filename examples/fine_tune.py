"""Fine-tunes a pretrained plain net on another task: `python examples/fine_tune.py`.

The new task is made on the spot: tell upright photos from upside-down ones, on crops of the
photographs that scikit-image ships. Takes a minute on a CPU. With a folder of photos,
`zoo finetune` does more.
"""

import keras
import numpy as np
import skimage

import zoo


def crops(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n crops (n, 64, 64, 3) uint8, half of them upside down, and which."""
    rng = np.random.default_rng(seed)
    photos = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut()]
    images, labels = [], np.arange(n) % 2
    for label in labels:
        photo = photos[rng.integers(len(photos))]
        top, left = (rng.integers(0, side - 64) for side in photo.shape[:2])
        crop = photo[top : top + 64, left : left + 64]
        images.append(crop[::-1] if label else crop)
    return np.stack(images), labels


def main() -> None:
    model = zoo.load("maxnorm_plainnet50", num_classes=2)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    x, y = crops(1024, seed=0)
    x_test, y_test = crops(256, seed=1)
    model.fit(
        zoo.preprocess(model, x),
        y,
        epochs=5,
        validation_data=(zoo.preprocess(model, x_test), y_test),
    )
    card = zoo.save(model, "upside_down", labels=["upright", "upside down"], overwrite=True)
    print(f"{card.name}: zoo predict ./upside_down PHOTO")


if __name__ == "__main__":
    main()
