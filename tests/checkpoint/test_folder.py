"""What is saved comes back, bit by bit; a new head is the head and nothing else."""

import dataclasses
import logging

import keras
import numpy as np
import pytest
from safetensors.numpy import load

import zoo
from tests.support.checkpoints import images, make_card, make_checkpoint, make_model, predict
from tests.support.fresh import run_python
from zoo.checkpoint import Metric, load_checkpoint, read_card, save_checkpoint
from zoo.errors import CheckpointError, ZooError


def weights(model) -> dict[str, np.ndarray]:
    return {v.path: np.asarray(keras.ops.convert_to_numpy(v.value)) for v in model.weights}


def same(a: dict, b: dict, names=None) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in (names or a.keys() | b.keys()))


@pytest.fixture
def mlp(template):
    folder, model = template
    return folder, model, read_card(folder)


@pytest.mark.parametrize("architecture", ["maxnorm_mlp3", "plainnet20"])
def test_float32_is_exact(tmp_path, architecture):
    model, card = make_checkpoint(tmp_path / "new" / "folder", architecture)
    again = load_checkpoint(tmp_path / "new" / "folder")
    assert same(weights(model), weights(again))
    np.testing.assert_array_equal(predict(model), predict(again))
    assert again.zoo_card == card == read_card(tmp_path / "new" / "folder")
    assert card.params == model.count_params()
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == [
        "README.md",
        "model.safetensors",
        "zoo.json",
    ]


def test_float16_is_for_kernels(tmp_path):
    model, _ = make_checkpoint(tmp_path, "plainnet20", dtype="float16")
    stored = load((tmp_path / "model.safetensors").read_bytes())
    assert {a.dtype.name for a in stored.values() if a.ndim >= 2} == {"float16"}
    assert {a.dtype.name for a in stored.values() if a.ndim < 2} == {"float32"}
    again = weights(load_checkpoint(tmp_path))
    for path, value in weights(model).items():
        expected = value.astype("float16").astype("float32") if value.ndim >= 2 else value
        np.testing.assert_array_equal(again[path], expected)
        assert again[path].dtype == "float32"


def test_equal_weights_give_equal_bytes(tmp_path, mlp):
    folder, model, card = mlp
    save_checkpoint(model, tmp_path, card)
    for name in ("model.safetensors", "zoo.json", "README.md"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_fresh_process(mlp):
    folder, model, _ = mlp
    code = (
        "import sys;  import zoo.hub; import tests.support.checkpoints as h;"
        "print(h.predict(zoo.checkpoint.load_checkpoint(sys.argv[1])).tobytes().hex())"
    )
    result = run_python(code, str(folder))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-1] == predict(model).tobytes().hex()


def test_regularizers_and_constraints_live(mlp):
    model = load_checkpoint(mlp[0])
    assert len(model.losses) == 4
    assert all(float(keras.ops.convert_to_numpy(loss)) > 0 for loss in model.losses)
    assert model.get_layer("hidden1_dense").kernel_constraint is not None
    x, kernel = images(model), model.get_layer("hidden1_dense").kernel
    kernel.assign(np.full((16, 5), 100.0))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, np.array([0, 1, 2, 0]), verbose=0)
    assert np.linalg.norm(weights(model)["hidden1_dense/kernel"], axis=0).max() < 3.001


@pytest.mark.parametrize("classes", [2, 3])
def test_new_head_is_exactly_the_head(mlp, caplog, classes):
    folder, model, card = mlp
    old = weights(model)
    with caplog.at_level(logging.WARNING, "zoo"):
        tuned = load_checkpoint(folder, num_classes=classes)
    new = weights(tuned)
    head = {"head_dense/kernel", "head_dense/bias"}
    assert same(old, new, old.keys() - head)
    assert new.keys() == old.keys()
    assert new["head_dense/kernel"].shape == (5, classes)
    assert not np.isin(new["head_dense/kernel"], old["head_dense/kernel"]).any()
    assert not new["head_dense/bias"].any()
    assert predict(tuned).shape == (4, classes)
    args = {**card.args, "num_classes": classes}
    assert tuned.zoo_card == dataclasses.replace(card, args=args, labels=(), metrics=())
    assert set(tuned.zoo_new) == head
    assert load_checkpoint(folder).zoo_new == ()
    (record,) = (r for r in caplog.records if r.name == "zoo")
    assert "NEW head" in record.message
    assert "head_dense/kernel" in record.message
    assert "18 tensors" in record.message


def test_new_heads_differ_and_follow_the_seed(mlp):
    def kernel(seed):
        keras.utils.set_random_seed(seed)
        return weights(load_checkpoint(mlp[0], num_classes=2))["head_dense/kernel"]

    assert np.array_equal(kernel(1), kernel(1))
    assert not np.array_equal(kernel(1), kernel(2))


def test_features(mlp, caplog):
    folder, model, _ = mlp
    body = load_checkpoint(folder, num_classes=0)
    pooled = keras.Model(model.input, model.get_layer("head_dense").input)
    np.testing.assert_array_equal(predict(body), predict(pooled))
    assert "NEW head" not in caplog.text
    assert body.zoo_card.labels == ()


def test_logits(mlp):
    folder, model, _ = mlp
    logits = predict(load_checkpoint(folder, activation=None))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(expected, predict(model), atol=1e-6)
    assert not np.allclose(logits.sum(axis=1), 1)


def test_published_activation_is_the_default(tmp_path):
    make_checkpoint(tmp_path, args={**make_card().args, "activation": None})
    published = predict(load_checkpoint(tmp_path))
    np.testing.assert_array_equal(published, predict(load_checkpoint(tmp_path, activation=None)))
    assert not np.array_equal(published, predict(load_checkpoint(tmp_path, activation="softmax")))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_classes": -1}, "num_classes must be an integer"),
        ({"num_classes": "3"}, "num_classes must be"),
        ({"num_classes": True}, "num_classes must be"),
        ({"activation": "relu"}, "activation must be one of 'softmax'"),
    ],
)
def test_bad_options_are_the_callers(mlp, options, words):
    with pytest.raises(ZooError, match=words) as error:
        load_checkpoint(mlp[0], **options)
    assert not isinstance(error.value, CheckpointError)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64", "bfloat16"])
def test_dtype_policies(mlp, policy):
    folder, model, _ = mlp
    if policy == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 only on request")
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        again = load_checkpoint(folder)
    finally:
        keras.config.set_dtype_policy(previous)
    variable_dtype = "float32" if policy == "mixed_bfloat16" else policy
    kernel = again.get_layer("hidden1_dense").kernel
    assert keras.backend.standardize_dtype(kernel.dtype) == variable_dtype
    np.testing.assert_allclose(predict(again), predict(model), atol=0.05)


def test_saves_from_any_policy(tmp_path):
    card = make_card()
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make_model(card)
    finally:
        keras.config.set_dtype_policy(previous)
    save_checkpoint(model, tmp_path, card)
    assert same(weights(model), weights(load_checkpoint(tmp_path)))


def test_the_card_does_not_disturb_keras(mlp, tmp_path):
    model = load_checkpoint(mlp[0])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(model), predict(again))
    clone = keras.models.clone_model(model)
    assert len(clone.weights) == len(model.weights)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(images(model), np.array([0, 1, 2, 0]), verbose=0)
    assert model.zoo_card.labels[0] == "cat"


def test_loaded_arrays_are_the_models_own(mlp):
    first, second = load_checkpoint(mlp[0]), load_checkpoint(mlp[0])
    for v in first.weights:
        v.assign(np.zeros(tuple(v.shape)))
    assert same(weights(second), weights(mlp[1]))


def test_no_random_state_without_values(tmp_path):
    model, _ = make_checkpoint(tmp_path)
    assert all(v.value is not None for v in load_checkpoint(tmp_path).variables)
    assert len(model.variables) == len(load_checkpoint(tmp_path).variables)


class TestSaveRefuses:
    def refused(self, model, folder, card, *words):
        with pytest.raises(CheckpointError) as error:
            save_checkpoint(model, folder, card)
        assert not folder.exists()
        for word in ("zoo.json", *words):
            assert word in str(error.value)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_weights_that_are_not_finite(self, tmp_path, value):
        card = make_card()
        model = make_model(card)
        bias = model.get_layer("hidden2_dense").bias
        bias.assign([0, 0, value, 0, 0])
        self.refused(model, tmp_path / "x", card, "hidden2_dense/bias", "not finite")

    def test_what_float16_cannot_hold(self, tmp_path):
        card = make_card(dtype="float16")
        model = make_model(card)
        model.get_layer("hidden2_dense").kernel.assign(np.full((5, 5), 7e4))
        self.refused(model, tmp_path / "x", card, "hidden2_dense/kernel", "7e+04", "float32")
        model.get_layer("hidden2_dense").kernel.assign(np.zeros((5, 5)))
        model.get_layer("hidden2_dense").bias.assign(np.full(5, 7e4))  # a vector: float32
        save_checkpoint(model, tmp_path / "x", card)

    def test_a_model_that_is_not_the_cards(self, tmp_path):
        card = make_card()
        wider = make_card(args={**card.args, "units": 6})
        self.refused(make_model(wider), tmp_path / "x", card, "it has hidden1_dense/kernel")
        deeper = zoo.create("maxnorm_mlp5", **card.args)
        self.refused(deeper, tmp_path / "x", card, "has in addition hidden4_dense/kernel")

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"head": ("haed_dense",)}, ["head", "haed_dense"]),
            ({"labels": ("one",)}, ["labels must be 3"]),
            ({"batch_norm": None}, ["batch_norm must be epsilon 1e-05"]),
            ({"name": "maxnorm_mlp3"}, ["architecture.tag"]),
            ({"architecture": "resnet9", "name": "resnet9.toy"}, ["resnet9"]),
            ({"args": {"units": 5, "widht": 1}}, ["args", "widht"]),
            ({"metrics": (Metric("toys", "test", "top1", np.nan, 4, "x"),)}, ["metrics[0].value"]),
        ],
    )
    def test_a_card_that_it_would_not_load(self, tmp_path, changes, words):
        self.refused(make_model(make_card()), tmp_path / "x", make_card(**changes), *words)
