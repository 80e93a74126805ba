"""Detectors by name, their checkpoints, and backbones that come with weights."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import zoo
from tests.support.checkpoints import edit_card, make_card, make_checkpoint, make_model
from tests.support.helpers import array
from zoo import registry
from zoo.checkpoint import Training, load_checkpoint, new_card, save_checkpoint
from zoo.cli import main
from zoo.detection.heads import CLASS_LAYERS
from zoo.errors import CheckpointError, ZooError
from zoo.models.deferred import build_without_values
from zoo.preprocessing import IMAGENET

NAME = "mask_rcnn_plainnet20"
SMALL = {
    "input_shape": (64, 64, 3),
    "num_classes": 4,
    "fpn_filters": 8,
    "head_units": 16,
    "proposals": 8,
    "detections": 3,
}
# A card's args of a detector, those of its backbone among them.
ARGS = SMALL | {"width": 4, "initializer": "he_normal", "nonlinearity": "tanh"}


def weights(model):
    return {v.path: array(v) for v in model.weights}


def equal(some, others):
    return some.keys() == others.keys() and all((some[k] == others[k]).all() for k in some)


def test_one_for_every_backbone():
    classifiers, detectors = (registry.variants(task) for task in ("classification", "detection"))
    assert set(detectors) == {
        f"mask_rcnn_{name}" for name, v in classifiers.items() if "features" in v.options
    }
    assert not set(detectors) & set(classifiers)
    assert zoo.list_models("mask_rcnn_seqnet?0") == ["mask_rcnn_seqnet50"]
    assert set(zoo.list_models("mask_rcnn_*")) == set(detectors)


# The first of every family.
FAMILIES = {v.backbone.family: v for v in [*registry.variants("detection").values()][::-1]}


@pytest.mark.parametrize("variant", FAMILIES.values(), ids=lambda v: v.name)
def test_every_family_can_be_built(variant):
    model = build_without_values(lambda: zoo.create(variant.name, input_shape=(128, 64, 3)))
    assert model.name == variant.name
    assert model.input_shape == (None, 128, 64, 3)
    assert [x.shape for x in model.fpn.outputs] == [
        (None, 128 // stride, 64 // stride, 256) for stride in (4, 8, 16, 32, 64)
    ]
    assert len({v.path for v in model.weights}) == len(model.weights)
    norm = keras.layers.BatchNormalization
    norms = [layer for layer in model.backbone._flatten_layers() if isinstance(layer, norm)]
    assert norms
    assert not any(layer.trainable for layer in norms)
    decay = variant.options["weight_decay"]
    regularizer = model.rpn.get_layer("rpn_conv").kernel_regularizer
    np.testing.assert_allclose(regularizer.l2 if regularizer else 0, decay / 2)


def test_parameters_are_those_of_the_published_program():
    """torchvision's `maskrcnn_resnet50_fpn` has 44,401,393; its frozen normalizations count for
    none, and it has a box and a mask of the background, which are not used."""
    model = build_without_values(lambda: zoo.create("mask_rcnn_resnet50", num_classes=90))
    layers = model.backbone._flatten_layers()
    norms = [x for x in layers if isinstance(x, keras.layers.BatchNormalization)]
    frozen = sum(layer.count_params() for layer in norms)
    assert model.count_params() - frozen + 4 * 1025 + 257 == 44_401_393


def test_options_are_those_of_detector_and_backbone_and_documented():
    options = registry.find(NAME).options
    assert options["input_shape"] == (512, 512, 3)
    assert options["num_classes"] == 80
    assert options["nonlinearity"] == "relu"
    assert "features" not in options
    assert "activation" not in options
    body = registry.find("plainnet20").options
    for name in options.keys() - body:
        assert f"        {name}: " in zoo.detection.MaskRCNN.__doc__
    model = build_without_values(lambda: zoo.create(NAME, **ARGS))
    assert model.options["proposals"] == 8
    assert model.backbone.output["P2"].shape == (None, 16, 16, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": None}, f"Unknown argument of {NAME}: 'activation'"),
        ({"fpn_filter": 8}, "Did you mean 'fpn_filters'"),
        ({"num_classes": 0}, "num_classes must be an integer from 1 to"),
        ({"input_shape": (100, 64, 3)}, "multiples of 64"),
        ({"input_shape": (None, 64, 3)}, "must be given in full"),
        ({"input_shape": (64, 64)}, "input_shape must be"),
        ({"detections": 10**6}, "detections must be an integer from 1 to 1000"),
    ],
)
def test_bad_arguments_name_what_is_allowed(options, message):
    with pytest.raises(ZooError) as caught:
        zoo.create(NAME, **SMALL | options)
    assert message in str(caught.value)


def test_numbers_of_numpy_become_plain():
    numbers = {"num_classes": np.int64(3), "fpn_filters": np.int32(8)}
    options = SMALL | numbers | {"anchor_scale": np.float32(4)}
    model = build_without_values(lambda: zoo.create(NAME, **options))
    assert type(model.options["num_classes"]) is int
    assert type(model.options["anchor_scale"]) is float
    json.dumps(model.box_head.get_config())


@pytest.fixture
def body(tmp_path):
    """Folder of a classifier with options of its own."""
    card = make_card("plainnet20")
    args = card.args | {"nonlinearity": "tanh"}
    make_checkpoint(tmp_path / "plainnet20.toy", "plainnet20", args=args)
    return tmp_path / "plainnet20.toy"


def test_backbone_weights(body):
    model = zoo.create(NAME, backbone_weights=body, **SMALL)
    pretrained = zoo.load(body, features=True)
    assert equal(weights(model.backbone), weights(pretrained))
    assert isinstance(model.backbone.get_layer("stem_act"), keras.layers.Activation)
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    small = keras.models.clone_model(pretrained)
    small.set_weights(model.backbone.get_weights())
    np.testing.assert_array_equal(array(small(image)["P2"]), array(pretrained(image)["P2"]))


def test_other_backbone_weights_are_refused(body, tmp_path):
    make_checkpoint(tmp_path / "maxnorm_mlp3.toy")
    for name, options, message in [
        ("plainnet20", {}, "plainnet20 is no detector"),
        ("mask_rcnn_plainnet32", {}, "must be of plainnet32. Received: plainnet20.toy"),
        (NAME, {"width": 8}, r"has stem_conv/kernel of shape \(3, 3, 3, 4\), not \(3, 3, 3, 8\)"),
        (
            NAME,
            {"norm": "none"},
            "backbone_weights does not fit plainnet20: it lacks stem_conv/bias, stage1",
        ),
        (NAME, {"backbone_weights": tmp_path / "maxnorm_mlp3.toy"}, "'features'"),
    ]:
        with pytest.raises(ZooError, match=message):
            zoo.create(name, **{"backbone_weights": body, **options})


@pytest.fixture
def checkpoint(tmp_path):
    card = dataclasses.replace(
        make_card("plainnet20"),
        name=f"{NAME}.toy",
        architecture=NAME,
        args=ARGS,
        preprocess=dataclasses.replace(make_card("plainnet20").preprocess, size=(64, 64)),
        labels=("a", "b", "c", "d"),
        head=CLASS_LAYERS,
    )
    model = make_model(card)
    save_checkpoint(model, tmp_path, card)
    return tmp_path, model


def test_checkpoint(checkpoint):
    folder, model = checkpoint
    loaded = zoo.load(folder)
    assert equal(weights(loaded), weights(model))
    assert loaded.options == model.options
    assert loaded.zoo_card.params == model.count_params()
    assert [v.trainable for v in loaded.weights] == [v.trainable for v in model.weights]
    assert all(np.isfinite(array(v)).all() for v in loaded.variables)
    x = keras.KerasTensor((1, 64, 64, 3))
    if keras.backend.backend() != "torch":
        assert loaded.compute_output_spec(x)["masks"].shape == (1, 3, 28, 28)


def test_checkpoint_for_other_classes(checkpoint):
    folder, model = checkpoint
    loaded = zoo.load(folder, num_classes=2, freeze="body")
    new = {f"{layer}/{w}" for layer in CLASS_LAYERS for w in ("kernel", "bias")}
    assert set(loaded.zoo_new) == new == {v.path for v in loaded.trainable_variables}
    assert loaded.options["num_classes"] == 2
    before, kept = weights(model), weights(loaded)
    assert all((kept[path] == before[path]).all() for path in kept.keys() - new)


def test_a_card_may_not_name_other_checkpoints(checkpoint, body):
    folder, _ = checkpoint
    edit_card(folder, lambda card: card["args"].update(backbone_weights=str(body)))
    with pytest.raises(CheckpointError, match=r"Unknown argument of .*'backbone_weights'"):
        load_checkpoint(folder)


def test_features_are_not_those_of_a_detector(checkpoint):
    with pytest.raises(ZooError, match=r"Unknown argument of .*'features'"):
        zoo.load(checkpoint[0], features=True)


def test_a_new_card_names_the_layers_of_the_classes():
    model = build_without_values(lambda: zoo.create(NAME, **ARGS))
    card = new_card(
        model,
        f"{NAME}.toy",
        args=ARGS,
        preprocess=IMAGENET,
        labels=(),
        training=Training(),
        license="none",
    )
    assert card.head == CLASS_LAYERS


def test_info(capsys):
    assert main(["info", NAME, "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["multiply_adds"] > 1e10
    assert info["options"]["head_norm"] == {"default": "none", "allowed": "one of 'none', 'group'"}
