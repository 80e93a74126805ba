"""Labels and probabilities of pictures."""

import types

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import ImageError, ZooError
from zoo.preprocessing import Preprocess, preprocess
from zoo.tasks.classification import predict

HOW = Preprocess(
    size=(16, 16),
    channels=1,
    resize=16,
    interpolation="bicubic",
    scale=1 / 127.5,
    mean=(1.0,),
    std=(1.0,),
)
LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def with_card(model, labels=LABELS):
    model.zoo_card = types.SimpleNamespace(preprocess=HOW, labels=labels, name="mlp.test")
    return model


@pytest.fixture(scope="module")
def model():
    return with_card(zoo.create("maxnorm_mlp3", units=20))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def test_one_picture(model):
    image = noise(20, 30, 3)
    result = predict(model, image)
    expected = model.predict_on_batch(preprocess(HOW, image))[0]
    assert [label for label, _ in result] == [LABELS[i] for i in np.argsort(-expected)[:5]]
    np.testing.assert_allclose([p for _, p in result], np.sort(expected)[::-1][:5], rtol=1e-6)
    assert all(type(label) is str and type(p) is float for label, p in result)


def test_a_real_photo_from_file(model, tmp_path):
    data = pytest.importorskip("skimage.data")
    path = tmp_path / "rocket.png"
    Image.fromarray(data.rocket()).save(path)
    assert predict(model, path) == predict(model, str(path)) == predict(model, data.rocket())


def test_single_list_and_batch(model):
    batch = noise(5, 16, 16, 1)
    many = predict(model, batch, batch_size=2)
    assert len(many) == 5
    assert predict(model, list(batch), batch_size=2) == many
    for image, result in zip(batch, many, strict=True):
        single = predict(model, image)
        assert [label for label, _ in single] == [label for label, _ in result]
        np.testing.assert_allclose([p for _, p in single], [p for _, p in result], rtol=1e-4)
    assert len(predict(model, [batch[0]])) == 1
    assert predict(model, []) == []
    assert predict(model, batch[:0]) == []


def test_top(model):
    image = noise(16, 16)
    assert len(predict(model, image, top=1)) == 1
    everything = predict(model, image, top=99)
    assert len(everything) == 10
    assert sum(p for _, p in everything) == pytest.approx(1, abs=1e-5)
    for top in (0, -1, 2.5, None):
        with pytest.raises(ZooError, match="top must be an integer of at least 1"):
            predict(model, image, top=top)
    with pytest.raises(ZooError, match="batch_size must be"):
        predict(model, image, batch_size=0)


@pytest.mark.parametrize("labels", [(), None, ("cat", "dog")])
def test_new_head_without_labels(labels):
    model = with_card(zoo.create("maxnorm_mlp3", units=20, num_classes=3), labels)
    result = predict(model, noise(16, 16))
    assert sorted(label for label, _ in result) == ["class 0", "class 1", "class 2"]


def test_logits_become_probabilities(model):
    logits = with_card(zoo.create("maxnorm_mlp3", units=20, activation=None))
    logits.set_weights(model.get_weights())
    image = noise(16, 16)
    assert [label for label, _ in predict(logits, image)] == [n for n, _ in predict(model, image)]
    np.testing.assert_allclose(
        [p for _, p in predict(logits, image)], [p for _, p in predict(model, image)], rtol=1e-5
    )


def test_large_logits_do_not_overflow():
    inputs = keras.Input((16, 16, 1))
    outputs = keras.layers.Dense(3, use_bias=True)(keras.layers.Flatten()(inputs))
    model = with_card(keras.Model(inputs, outputs))
    model.set_weights([np.zeros((256, 3)), np.array([1000.0, 0.0, 990.0])])
    first, second, third = predict(model, noise(16, 16))
    assert first == ("class 0", pytest.approx(1 / (1 + np.exp(-10))))
    assert second == ("class 2", pytest.approx(1 / (1 + np.exp(10))))
    assert third == ("class 1", 0.0)


def test_sigmoid_is_left_alone():
    model = with_card(zoo.create("maxnorm_mlp3", units=20, activation="sigmoid"))
    image = noise(16, 16)
    raw = model.predict_on_batch(preprocess(HOW, image))[0]
    np.testing.assert_allclose(sorted(p for _, p in predict(model, image, top=10)), np.sort(raw))


def test_softmax_layer_is_recognized_by_its_rows(model):
    logits = zoo.create("maxnorm_mlp3", units=20, activation=None)
    logits.set_weights(model.get_weights())
    wrapped = with_card(keras.Sequential([logits, keras.layers.Softmax()]))
    wrapped.build((None, 16, 16, 1))
    image = noise(16, 16)
    expected = [(label, pytest.approx(p, rel=1e-5)) for label, p in predict(model, image)]
    assert predict(wrapped, image) == expected


def test_equal_probabilities_keep_the_order_of_classes():
    model = with_card(zoo.create("maxnorm_mlp3", units=20))
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    assert [label for label, _ in predict(model, noise(16, 16), top=3)] == ["zero", "one", "two"]


def test_name_is_loaded(model, monkeypatch):
    asked = []
    monkeypatch.setattr("zoo.hub.loading.load", lambda name: asked.append(name) or model)
    assert predict("mlp.test", noise(16, 16)) == predict(model, noise(16, 16))
    assert asked == ["mlp.test"]


def test_errors_of_pictures_count_through_batches(model):
    images = [noise(16, 16) for _ in range(5)]
    images[4] = np.zeros((4, 4), "int64")
    with pytest.raises(ImageError, match=r"images\[4\] must be uint8"):
        predict(model, images, batch_size=2)


def test_models_that_cannot(model):
    with pytest.raises(ZooError, match="'maxnorm_mlp3' has no card"):
        predict(zoo.create("maxnorm_mlp3", units=20), noise(16, 16))
    with pytest.raises(ZooError, match=r"model of zoo\.load.*Received: Preprocess"):
        predict(HOW, noise(16, 16))
    inputs = keras.Input((16, 16, 1))
    maps = with_card(keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs), name="maps"))
    with pytest.raises(ZooError, match=r"maps is no classifier.*\(None, 14, 14, 2\)"):
        predict(maps, noise(16, 16))
    two = with_card(keras.Model(inputs, {"a": inputs, "b": maps.output}, name="two"))
    with pytest.raises(ZooError, match="two is no classifier"):
        predict(two, noise(16, 16))
    features = with_card(zoo.create("maxnorm_mlp3", units=20, num_classes=0))
    features.zoo_card.head = ("head_dense",)
    with pytest.raises(ZooError, match="is no classifier: it has no layer 'head_dense'"):
        predict(features, noise(16, 16))


def test_nan_is_told():
    model = with_card(zoo.create("maxnorm_mlp3", units=20))
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(ZooError, match="NaN"):
        predict(model, noise(16, 16))


# One output, no classifier, no card ------------------------------------------------------------


def binary(activation):
    inputs = keras.Input((16, 16, 1))
    x = keras.layers.Dense(1, activation=activation)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, x)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_output_is_a_sigmoids(activation):
    model, x = with_card(binary(activation), labels=("cat",)), noise(4, 16, 16, 1)
    outputs = model.predict_on_batch(preprocess(HOW, x))[:, 0]
    p = outputs if activation else 1 / (1 + np.exp(-outputs.astype("float64")))
    results = predict(model, x)
    assert [[label for label, _ in r] for r in results] == [["cat"]] * 4
    np.testing.assert_allclose([r[0][1] for r in results], p, rtol=1e-6)
    for result, value in zip(predict(model, x, labels=("dog", "cat")), p, strict=True):
        assert dict(result) == pytest.approx({"dog": 1 - value, "cat": value})


def test_softmax_of_one_output_is_refused():
    with pytest.raises(ZooError, match="one output, whose softmax is always 1"):
        predict(with_card(binary("softmax")), noise(16, 16, 1))


@pytest.mark.parametrize("name", ["seqnet18", "resnet20", "preresnet20"])
def test_features_are_no_classes(name):
    size = {"stem": "cifar", "width": 4} if name == "seqnet18" else {"width": 4}
    body = zoo.create(name, num_classes=0, input_shape=(16, 16, 1), **size)
    with pytest.raises(ZooError, match="is no classifier"):
        predict(body, noise(16, 16, 1), preprocess=HOW)


def test_a_copy_takes_what_the_card_said(model, tmp_path):
    model.save(tmp_path / "net.keras")
    x = noise(16, 16, 1)
    for copy in (keras.models.clone_model(model), keras.saving.load_model(tmp_path / "net.keras")):
        copy.set_weights(model.get_weights())
        with pytest.raises(ZooError, match=r"copies and \.keras files lose it.*preprocess="):
            predict(copy, x)
        assert predict(copy, x, labels=LABELS, preprocess=HOW) == predict(model, x)
        assert predict(copy, x, preprocess=HOW)[0][0].startswith("class ")
    with pytest.raises(ZooError, match="labels must be 10 names"):
        predict(model, x, labels=("cat", "dog"))
