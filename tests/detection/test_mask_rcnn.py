"""The detector as a whole: what it learns, gives, keeps and refuses."""

import keras
import numpy as np
import pytest
from helpers import array, run_python
from keras import layers

from zoo.detection import MaskRCNN
from zoo.detection.cost import multiply_adds_of_parts
from zoo.detection.inputs import split_inputs
from zoo.errors import ZooError
from zoo.hub.deferred import build_without_values, fill
from zoo.models.cost import multiply_adds

SIZE, CLASSES, SLOTS = 64, 3, 300
TINY = {
    "num_classes": CLASSES,
    "fpn_filters": 8,
    "head_units": 16,
    "anchor_scale": 2,
    "pre_nms": 32,
    "proposals": 16,
    "roi_samples": 16,
    "detections": 6,
    "weight_decay": 0.0,
    "seed": 0,
}
LOSSES = {"rpn_score_loss", "rpn_box_loss", "class_loss", "box_loss", "mask_loss"}
BATCH_NORM = {f"norm{level}/{w}" for level in (2, 3, 4, 5) for w in ("gamma", "beta")} | {
    f"norm{level}/moving_{w}" for level in (2, 3, 4, 5) for w in ("mean", "variance")
}


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


def backbone(size=SIZE, decay=None):
    """A convolution and a batch normalization for each level."""
    inputs = x = keras.Input((size, size, 3), name="image")
    outputs = {}
    for level in (2, 3, 4, 5):
        stride = 4 if level == 2 else 2
        x = layers.Conv2D(
            6, 3, stride, "same", kernel_regularizer=decay, use_bias=False, name=f"conv{level}"
        )(x)
        x = layers.ReLU()(layers.BatchNormalization(name=f"norm{level}")(x))
        outputs[f"P{level}"] = x
    return keras.Model(inputs, outputs, name="body")


def values(model):
    """Weights that are the same on every backend, by the order of the names."""
    rng, arrays = np.random.default_rng(0), {}
    for v in sorted(model.weights, key=lambda v: v.path):
        fan_in = max(int(np.prod(v.shape[:-1])), 1)
        arrays[v.path] = rng.normal(0, np.sqrt(2 / fan_in), v.shape).astype("float32")
        if v.path.endswith(("gamma", "variance")):
            arrays[v.path] = np.ones(v.shape, "float32")
        if v.path.endswith(("beta", "mean", "bias")):
            arrays[v.path] = np.zeros(v.shape, "float32")
        if v.path.startswith(("rpn_deltas", "box_deltas")):
            arrays[v.path] *= 0.1
    return arrays


def make(decay=None, **options):
    model = build_without_values(lambda: MaskRCNN(backbone(decay=decay), **TINY | options))
    fill(model, values(model))
    return model


def images(n=2):
    return np.random.default_rng(1).normal(size=(n, SIZE, SIZE, 3)).astype("float32")


def example(*boxes_of_images, crowd=False):
    """A training input; the objects of an image in the slots from the first on."""
    n = len(boxes_of_images)
    x = {
        "image": images(n),
        "boxes": np.zeros((n, SLOTS, 4), "float32"),
        "labels": np.full((n, SLOTS), -1, "int32"),
        "crowd": np.zeros((n, SLOTS), "uint8"),
        "masks": np.zeros((n, SLOTS, 112, 112), "uint8"),
    }
    for i, boxes in enumerate(boxes_of_images):
        count = len(boxes)
        x["boxes"][i, :count] = np.reshape(boxes, (-1, 4))
        x["labels"][i, :count] = np.arange(count) % CLASSES
        x["crowd"][i, :count] = crowd
        x["masks"][i, :count, 30:90, 10:100] = 1
    return x


def many():
    corner = np.random.default_rng(0).uniform(0, 50, (SLOTS, 2))
    return np.concatenate([corner, corner + np.linspace(1, 14, SLOTS)[:, None]], axis=1)


OBJECTS = [[5, 8, 35, 40], [30, 20, 62, 60]], [[10, 10, 20, 30]]


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


def shapes_given(model, x):
    """Names and shapes of what the model gives, without a compilation."""
    if keras.backend.backend() == "torch":
        return {name: tuple(y.shape) for name, y in model(x).items()}
    x = {name: keras.KerasTensor(y.shape, y.dtype) for name, y in x.items()}
    return {name: tuple(y.shape) for name, y in model.compute_output_spec(x).items()}


def test_images_alone_are_no_examples(untrained):
    model, found = untrained
    with pytest.raises(ZooError, match="fit and evaluate take dicts"):
        model.compute_loss(images(), y_pred=found)


def test_boxes_alone():
    model = make(masks=False)
    assert model.mask_head is None
    assert not any(v.path.startswith("mask") for v in model.weights)
    x = example(*OBJECTS)
    assert set(shapes_given(model, {"image": x["image"]})) == {"boxes", "scores", "labels"}
    del x["masks"]
    assert shapes_given(model, x) == dict.fromkeys(LOSSES - {"mask_loss"}, ())


def test_regularizers_are_counted():
    model = make(decay=keras.regularizers.L2(0.1), weight_decay=0.2)
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]
    expected = sum(0.1 * (array(v) ** 2).sum() for v in kernels)
    np.testing.assert_allclose(sum(array(x) for x in model.losses), expected, rtol=1e-5)


def test_names_are_those_of_checkpoints():
    model = make()
    assert len({v.path for v in model.weights}) == len(model.weights)
    new = ["fpn_lateral2", "fpn_lateral3", "fpn_lateral4", "fpn_lateral5", "fpn_output2"]
    new += ["fpn_output3", "fpn_output4", "fpn_output5", "rpn_conv", "rpn_logits", "rpn_deltas"]
    new += ["box_fc1", "box_fc2", "box_logits", "box_deltas", "mask_conv1", "mask_conv2"]
    new += ["mask_conv3", "mask_conv4", "mask_up", "mask_logits"]
    assert {v.path for v in model.weights} == {v.path for v in model.backbone.weights} | {
        f"{layer}/{w}" for layer in new for w in ("kernel", "bias")
    }
    other = make(name="detector")
    assert [v.path for v in other.weights] == [v.path for v in model.weights]
    assert model.input_shape == (None, SIZE, SIZE, 3)
    assert model.count_params() == sum(int(np.prod(v.shape)) for v in model.weights)


def test_config():
    model = make(freeze=None, masks=False, name="detector")
    again = MaskRCNN.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.name == "detector"
    assert [v.trainable for v in again.weights] == [v.trainable for v in model.weights]


def test_cost():
    parts = multiply_adds_of_parts(make())
    places = [16**2, 8**2, 4**2, 2**2, 1]
    assert parts == {
        "backbone": 9 * 3 * 6 * places[0] + 9 * 6 * 6 * sum(places[1:4]),
        "fpn": (6 * 8 + 9 * 8 * 8) * sum(places[:4]),
        "rpn": (9 * 8 * 8 + 8 * 3 + 8 * 12) * sum(places),
        "box_head": 16 * (49 * 8 * 16 + 16 * 16 + 16 * (4 + 12)),
        "mask_head": 6 * (14**2 * (4 * 9 * 8 * 8 + 4 * 8 * 8) + 28**2 * 8 * 3),
    }
    assert multiply_adds(make()) == sum(parts.values())


def test_inputs():
    x = example(*OBJECTS)
    shape, needed = x["image"].shape[1:], ("boxes", "labels")
    for given in (x["image"], {"image": x["image"]}):
        image, targets = split_inputs("m", given, shape, needed)
        assert image is x["image"]
        assert targets == {}
    image, targets = split_inputs("m", x, shape, needed)
    assert set(targets) == set(x) - {"image"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.pop("crowd"), "dict of 'image', 'boxes', 'labels', 'crowd', 'masks'"),
        (lambda x: x.pop("image"), "Received: a dict of 'boxes'"),
        (lambda x: x.update(image=x["image"][:, 1:]), r"shape \(64, 64, 3\).*\(2, 63, 64, 3\)"),
        (lambda x: x.update(boxes=x["boxes"][:, :5]), "as many slots each"),
        (lambda x: x.clear(), "Received: a dict of nothing"),
    ],
)
def test_other_inputs_are_refused(change, message):
    x = example(*OBJECTS)
    change(x)
    with pytest.raises(ZooError, match=message):
        split_inputs("m", x, (64, 64, 3), ("boxes", "labels", "crowd", "masks"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes must be 1 or more"),
        ({"num_classes": "80"}, "num_classes must be an integer"),
        ({"head_norm": "batch"}, "head_norm must be one of 'none', 'group'"),
        ({"freeze": "body"}, "freeze must be one of 'batch_norm', None"),
        ({"proposals": 0}, "proposals must be an integer from 1"),
        ({"score_threshold": 2}, "score_threshold must be a number from 0 to 1"),
        ({"backbone": backbone(96)}, "multiples of 64. Received: 96 x 96"),
        ({"backbone": backbone(None)}, "multiples of 64. Received: None x None"),
    ],
)
def test_bad_arguments_name_what_is_allowed(options, message):
    with pytest.raises(ZooError, match=message):
        MaskRCNN(**{"backbone": backbone()} | options)
