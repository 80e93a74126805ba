"""Bodies of the zoo in the RetinaNets of keras-hub and keras-cv."""

import keras
import numpy as np
import pytest

import zoo


def body():
    return zoo.create("seqnet18", features=True, input_shape=(128, 128, 3), width=4)


def example():
    """One image with two objects of three classes, and an empty slot."""
    image = np.random.default_rng(0).normal(size=(1, 128, 128, 3)).astype("float32")
    boxes = np.array([[[10, 10, 60, 70], [64, 30, 120, 90], [-1, -1, -1, -1]]], "float32")
    return image, {"boxes": boxes, "labels": np.array([[0, 2, -1]], "float32")}


def moved(model, before):
    after = [v.numpy() for v in model.trainable_variables]
    return [(a != b).any() for a, b in zip(before, after, strict=True)]


def test_levels_by_layer():
    model = body()
    assert model.pyramid_outputs is model.output
    for level, name in model.pyramid_level_inputs.items():
        assert model.get_layer(name).output is model.output[level]
    restored = keras.models.clone_model(model)
    assert restored.pyramid_level_inputs == model.pyramid_level_inputs


@pytest.mark.once
def test_keras_hub():
    hub = pytest.importorskip("keras_hub")
    backbone = hub.models.RetinaNetBackbone(body(), 3, 6, use_p5=False, image_shape=(128, 128, 3))
    detector = hub.models.RetinaNetObjectDetector(
        backbone=backbone, num_classes=3, bounding_box_format="xyxy"
    )
    detector.compile(
        keras.optimizers.SGD(1e-5),
        box_loss="Huber",
        classification_loss=hub_loss(),
        jit_compile=False,
    )
    x, y = example()
    before = [v.numpy().copy() for v in detector.trainable_variables]
    detector.fit(x, y, epochs=1, verbose=0)
    own = [v.path for v in detector.trainable_variables]
    stems = [m for path, m in zip(own, moved(detector, before), strict=True) if "stem_conv" in path]
    assert stems == [True]  # the gradient comes down to the first layer
    assert detector.predict(x, verbose=0)["boxes"].shape[-1] == 4


def hub_loss():
    return keras.losses.BinaryFocalCrossentropy(from_logits=True)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="keras-cv's box utilities")
def test_keras_cv():
    cv = pytest.importorskip("keras_cv")
    detector = cv.models.RetinaNet(num_classes=3, bounding_box_format="xyxy", backbone=body())
    detector.compile(
        optimizer=keras.optimizers.SGD(0.01), box_loss="smoothl1", classification_loss="focal",
        jit_compile=False,
    )  # fmt: skip
    x, y = example()
    y = {"boxes": y["boxes"], "classes": y["labels"]}
    before = [v.numpy().copy() for v in detector.trainable_variables]
    detector.fit(x, y, epochs=1, verbose=0)
    own = [v.path for v in detector.trainable_variables]
    stems = [m for path, m in zip(own, moved(detector, before), strict=True) if "stem_conv" in path]
    assert stems == [True]
    assert detector.predict(x, verbose=0)["boxes"].shape[-1] == 4
