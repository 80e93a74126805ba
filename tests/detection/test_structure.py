"""What a detector is made of, by its options."""

import json

import keras
import numpy as np
import pytest

from tests.support.helpers import array
from tests.support.small_detector import LOSSES, OBJECTS, SIZE, backbone, example, make
from zoo.detection import MaskRCNN
from zoo.errors import ZooError
from zoo.models.cost import multiply_adds


def shapes_given(model, x):
    """Names and shapes of what the model gives, without a compilation."""
    if keras.backend.backend() == "torch":
        return {name: tuple(y.shape) for name, y in model(x).items()}
    x = {name: keras.KerasTensor(y.shape, y.dtype) for name, y in x.items()}
    return {name: tuple(y.shape) for name, y in model.compute_output_spec(x).items()}


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


def test_arguments_of_numpy():
    options = {"num_classes": np.int64(3), "fpn_filters": np.int32(8), "head_units": 16.0}
    model = make(**options, masks=np.bool_(True), weight_decay=np.float32(0.25), seed=np.int64(7))
    config = json.loads(json.dumps(model.get_config()))
    assert (config["num_classes"], config["fpn_filters"], config["head_units"]) == (3, 8, 16)
    assert (config["masks"], config["weight_decay"], config["seed"]) == (True, 0.25, 7)


def test_config():
    model = make(freeze=None, masks=False, name="detector")
    again = MaskRCNN.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.name == "detector"
    assert [v.trainable for v in again.weights] == [v.trainable for v in model.weights]


def test_cost():
    model = make()
    parts = model.multiply_adds_of_parts()
    places = [16**2, 8**2, 4**2, 2**2, 1]
    assert parts == {
        "backbone": 9 * 3 * 6 * places[0] + 9 * 6 * 6 * sum(places[1:4]),
        "fpn": (6 * 8 + 9 * 8 * 8) * sum(places[:4]),
        "rpn": (9 * 8 * 8 + 8 * 3 + 8 * 12) * sum(places),
        "box_head": 16 * (49 * 8 * 16 + 16 * 16 + 16 * (4 + 12)),
        "mask_head": 6 * (14**2 * (4 * 9 * 8 * 8 + 4 * 8 * 8) + 28**2 * 8 * 3),
    }
    assert multiply_adds(model) == sum(parts.values())
    learning = model.multiply_adds_of_parts(training=True)
    assert learning["box_head"] == parts["box_head"]  # of 16 regions, too
    assert learning["mask_head"] == 4 * parts["mask_head"] // 6  # a quarter of them


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes must be an integer from 1"),
        ({"num_classes": "80"}, "num_classes must be an integer"),
        ({"head_norm": "batch"}, "head_norm must be one of 'none', 'group'"),
        ({"seed": -1}, "seed must be an integer"),
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
