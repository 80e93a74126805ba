"""The detector as a whole: what it learns, gives and keeps."""

import keras
import numpy as np
import pytest

from tests.support.fresh import run_python
from tests.support.helpers import array
from tests.support.small_detector import (
    BATCH_NORM,
    LOSSES,
    OBJECTS,
    SIZE,
    SLOTS,
    example,
    images,
    make,
)
from zoo.detection import MaskRCNN, mask_rcnn
from zoo.errors import ZooError

# What the untrained model finds on the two images, computed on TensorFlow.
SCORES = [
    [0.99971, 0.99943, 0.99846, 0.99183, 0.93806, 0.92053],
    [0.99894, 0.99521, 0.99436, 0.99295, 0.96446, 0.92546],
]
LABELS = [[2, 2, 2, 2, 2, 2], [0, 2, 0, 2, 2, 2]]
BOXES = [
    [
        [4.850, 55.961, 56.300, 61.096],
        [13.339, 57.280, 19.897, 64.0],
        [3.734, 59.039, 51.574, 64.0],
        [0.901, 60.255, 9.728, 63.590],
        [16.241, 61.092, 19.493, 63.924],
        [49.504, 9.619, 63.492, 30.670],
    ],
    [
        [17.114, 4.095, 28.138, 26.707],
        [35.693, 42.968, 44.195, 49.124],
        [0.111, 28.406, 2.140, 35.942],
        [35.604, 40.793, 53.773, 47.151],
        [37.298, 15.057, 55.527, 40.718],
        [3.937, 60.148, 9.118, 63.784],
    ],
]
MASKS = [
    [0.50338, 0.50342, 0.49266, 0.48961, 0.50363, 0.57655],
    [0.62251, 0.50663, 0.53133, 0.49598, 0.53230, 0.48492],
]


def many():
    corner = np.random.default_rng(0).uniform(0, 50, (SLOTS, 2))
    return np.concatenate([corner, corner + np.linspace(1, 14, SLOTS)[:, None]], axis=1)


def compiled(model, jit):
    tensorflow = keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.Adam(0.005), jit_compile=jit if tensorflow else "auto")
    model.optimizer.build(model.trainable_variables)  # or TensorFlow traces the step twice
    return model


def logs_of(model, x, epochs=1):
    history = model.fit(x, batch_size=2, epochs=epochs, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert all(np.isfinite(array(v)).all() for v in model.weights)
    return history


@pytest.fixture(scope="module")
def model():
    """Trained on one batch, compiled once for all tests."""
    return compiled(make(), jit=True)


@pytest.fixture(scope="module")
def first_fit(model):
    before = {v.path: array(v) for v in model.weights}
    return before, logs_of(model, example(*OBJECTS), epochs=24)


def test_training_lowers_every_loss_of_the_heads(first_fit):
    _, history = first_fit
    assert set(history) == LOSSES | {"loss"}
    np.testing.assert_allclose(history["loss"], sum(np.array(history[n]) for n in LOSSES), 1e-5)
    for name in ("loss", "class_loss", "mask_loss", "rpn_score_loss"):
        assert np.mean(history[name][-3:]) < 0.8 * np.mean(history[name][:3]), name


def test_gradients_reach_every_weight_and_no_frozen_one(model, first_fit):
    before, _ = first_fit
    changed = {v.path for v in model.weights if (array(v) != before[v.path]).any()}
    assert changed == {v.path for v in model.trainable_variables}
    assert {v.path for v in model.weights} - changed == BATCH_NORM


@pytest.mark.parametrize(
    ("x", "zero"),
    [
        (example([], []), {"rpn_box_loss", "box_loss", "mask_loss"}),
        (example([[3, 3, 50, 60]], [[0, 0, 64, 64]], crowd=True), {"box_loss", "mask_loss"}),
        (example([[20, 20, 21, 21]], [[0, 0, 1, 1]]), set()),
        (example(many(), many()), set()),
    ],
    ids=["no object", "crowd only", "one pixel", "300 objects"],
)
def test_unusual_images(model, first_fit, x, zero):
    logs = logs_of(model, x)
    assert {name for name in LOSSES if logs[name] == [0.0]} >= zero
    assert logs["class_loss"][0] > 0


@pytest.fixture(scope="module")
def untrained():
    model = make(score_threshold=0.0)
    return model, model.predict(images(), batch_size=2, verbose=0)


@pytest.mark.parametrize("reading", [("gather", 5 * 49), ("sum", None)])
def test_regions_read_otherwise_give_the_same(untrained, monkeypatch, reading):
    """In parts of 5 boxes and 1 mask, or by sums."""
    _, found = untrained
    monkeypatch.setattr(mask_rcnn, "ROI_READING", {keras.backend.backend(): reading})
    again = make(score_threshold=0.0).predict(images(), batch_size=2, verbose=0)
    for key, values in found.items():
        np.testing.assert_allclose(again[key], values, atol=1e-4, err_msg=key)


def test_predictions(untrained):
    _, found = untrained
    assert {name: (x.shape, x.dtype) for name, x in found.items()} == {
        "boxes": ((2, 6, 4), "float32"),
        "scores": ((2, 6), "float32"),
        "labels": ((2, 6), "int32"),
        "masks": ((2, 6, 28, 28), "float32"),
    }
    assert (np.diff(found["scores"]) <= 0).all()
    assert set(found["labels"].ravel()) <= {-1, 0, 1, 2}
    assert found["boxes"].min() >= 0
    assert found["boxes"].max() <= SIZE
    assert found["masks"].min() >= 0
    assert found["masks"].max() <= 1


def test_predictions_are_the_same_on_every_backend(untrained):
    _, found = untrained
    np.testing.assert_allclose(found["scores"], SCORES, atol=1e-4)
    np.testing.assert_array_equal(found["labels"], LABELS)
    np.testing.assert_allclose(found["boxes"], BOXES, atol=0.01)
    np.testing.assert_allclose(found["masks"].mean((2, 3)), MASKS, atol=1e-4)


def test_an_image_does_not_depend_on_its_batch(untrained):
    model, found = untrained
    swapped = model.predict(images()[::-1], batch_size=2, verbose=0)
    for name, x in found.items():
        np.testing.assert_allclose(swapped[name][::-1], x, atol=1e-4)


def test_save_and_load_in_a_fresh_process(untrained, tmp_path):
    model, found = untrained
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "io.npz", x=images(), **found)
    result = run_python(
        "import sys, keras, zoo, numpy as np\n"
        "model = keras.saving.load_model(sys.argv[1] + '/model.keras')\n"
        "io = np.load(sys.argv[1] + '/io.npz')\n"
        "for name, x in model.predict(io['x'], batch_size=2, verbose=0).items():\n"
        "    np.testing.assert_allclose(x, io[name], atol=1e-4)\n"
        "frozen = [v.path for v in model.weights if not v.trainable]\n"
        "print(type(model).__name__, model.name, len(frozen), model.options['pre_nms'])\n",
        str(tmp_path),
    )
    assert result.stdout == f"MaskRCNN mask_rcnn {len(BATCH_NORM)} 32\n", result.stderr


def test_weights_file(model, tmp_path):
    model.save_weights(tmp_path / "w.weights.h5")
    other = make()
    other.load_weights(tmp_path / "w.weights.h5")
    for v, w in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(array(v), array(w))


@pytest.mark.release
def test_group_normalization_training_and_evaluation_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make(head_norm="group", freeze=None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {v.dtype for v in model.weights} == {"float32"}
    assert model.rpn.get_layer("rpn_conv").compute_dtype == "bfloat16"
    before = {v.path: array(v) for v in model.weights}
    x = example(*OBJECTS)
    assert set(logs_of(compiled(model, jit=False), x)) == LOSSES | {"loss"}
    changed = {v.path for v in model.weights if (array(v) != before[v.path]).any()}
    assert changed >= BATCH_NORM
    before = {v.path: array(v) for v in model.weights}
    logs = model.evaluate(x, batch_size=2, verbose=0, return_dict=True)
    assert set(logs) == LOSSES | {"loss"}
    np.testing.assert_allclose(logs["loss"], sum(logs[name] for name in LOSSES), rtol=1e-5)
    assert all((array(v) == before[v.path]).all() for v in model.weights)  # of BN, too
    again = MaskRCNN.from_config(model.get_config())
    assert again.rpn.get_layer("rpn_conv").compute_dtype == "bfloat16"


def test_images_alone_are_no_examples(untrained):
    model, found = untrained
    with pytest.raises(ZooError, match="fit and evaluate take dicts"):
        model.compute_loss(images(), y_pred=found)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras exports to TensorFlow")
def test_export(untrained, tmp_path):
    model, found = untrained
    if keras.backend.backend() == "jax":
        with pytest.raises(ZooError, match="JAX cannot export a detector"):
            model.export(tmp_path / "exported")
        return
    import tensorflow as tf

    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for name, x in exported.serve(images()).items():
        np.testing.assert_allclose(x, found[name], atol=1e-4)
