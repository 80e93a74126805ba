"""Recipes, batches and augmentation."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import toy
from helpers import array

import zoo
from training import recipe as recipes
from training.augment import Prepare
from training.data import Images
from training.data.pipeline import MemoryBatches, batches
from training.train import rate
from zoo.errors import ZooError


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_complete(name):
    recipe = recipes.find(name)
    file, _, row = name.partition("/")
    command = f"train {file}/ROW " if row else f"train {file} "
    for part in ("Paper:", "Protocol:", "Command:", "Cost:", "Expected:", command):
        assert part in recipes.head(name)
    assert recipe.model in zoo.list_models()
    assert dataclasses.replace(recipe, seed=1) != recipe
    assert recipes.settings(name, recipe) == []
    changed = recipes.override(recipe, ["epochs=7", "model_args.max_norm=2.5"])
    assert recipes.settings(name, changed) == ["epochs=7", "model_args.max_norm=2.5"]
    assert recipes.override(recipe, recipes.settings(name, changed)) == changed


def test_overrides():
    changed = recipes.override(
        toy.RECIPE, ["epochs=9", "learning_rate=1", "flip=False", "dtype=mixed_bfloat16"]
    )
    assert (changed.epochs, changed.learning_rate, changed.flip) == (9, 1.0, False)
    assert changed.dtype == "mixed_bfloat16"
    assert changed.model_args == toy.RECIPE.model_args


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "Expected key=value"),
        ("epochs=many", "epochs must be of type int"),
        ("flip=1", "flip must be of type bool"),
        ("lerning_rate=0.1", "Did you mean 'learning_rate'"),
        ("preprocess=None", "Unknown setting"),
    ],
)
def test_bad_overrides(setting, message):
    with pytest.raises(ZooError) as caught:
        recipes.override(toy.RECIPE, [setting])
    assert message in str(caught.value)


def test_learning_rates():
    recipe = dataclasses.replace(toy.RECIPE, epochs=10, warmup_epochs=2, learning_rate=0.4)
    cosine = rate(recipe, 100)
    steps = np.array([0, 100, 200, 600, 1000])
    expected = [0, 0.2, 0.4, 0.2, 0]
    np.testing.assert_allclose([array(cosine(int(s))) for s in steps], expected, atol=1e-6)
    stepped = rate(dataclasses.replace(recipe, schedule="steps"), 100)
    assert [round(float(array(stepped(s))), 6) for s in (1, 499, 501, 751)] == [
        0.4,
        0.4,
        0.04,
        0.004,
    ]
    assert rate(dataclasses.replace(recipe, schedule="constant"), 100) == 0.4
    with pytest.raises(ValueError, match="cosine, steps or constant"):
        rate(dataclasses.replace(recipe, schedule="linear"), 100)


def numbered(n=50):
    x = np.arange(n).reshape(n, 1, 1, 1)
    return Images(x.astype("uint8"), np.arange(n), ("a",))


def epochs_of(dataset, steps, n):
    """The labels that a pipeline gives, epoch by epoch."""
    if isinstance(dataset, MemoryBatches):
        result = []
        for _ in range(n):
            result.append(np.concatenate([dataset[i][1] for i in range(steps)]))
            dataset.on_epoch_end()
        return result
    labels = [np.asarray(y) for _, y in dataset]
    return [np.concatenate(labels[e * steps : (e + 1) * steps]) for e in range(n)]


@pytest.mark.parametrize("kind", ["memory", "tfdata"])
def test_order_depends_on_seed_and_epoch_alone(kind):
    first, second, third = epochs_of(batches(numbered(), 8, 3, 0, 3, kind), 6, 3)
    for epoch in (first, second, third):
        assert len(np.unique(epoch)) == 48  # no image twice; the partial batch is left out
    assert (first != second).any()
    assert first.tolist() != sorted(first)
    # Resumed after two epochs: the third is the third.
    np.testing.assert_array_equal(epochs_of(batches(numbered(), 8, 3, 2, 3, kind), 6, 1)[0], third)
    other = epochs_of(batches(numbered(), 8, 4, 0, 1, kind), 6, 1)[0]
    assert (other != first).any()


def test_images_stay_with_their_labels():
    for kind in ("memory", "tfdata"):
        dataset = batches(numbered(), 8, 0, 0, 1, kind)
        x, y = dataset[0] if kind == "memory" else next(iter(dataset))
        np.testing.assert_array_equal(np.asarray(x).ravel(), np.asarray(y))


def test_tfdata_reads_large_sets_batch_by_batch(tmp_path):
    """Of a file on disk, mapped, never more than a batch is asked for."""
    np.save(tmp_path / "x.npy", numbered().x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    asked = []

    class OnDisk:  # cannot become an array as a whole
        shape, dtype = mapped.shape, mapped.dtype

        def __getitem__(self, index):
            asked.append(len(index))
            return np.asarray(mapped[index])

    images = Images(OnDisk(), numbered().y, ("a",))
    for x, y in batches(images, 8, 0, 0, 2, "tfdata"):
        assert x.shape == (8, 1, 1, 1)
        np.testing.assert_array_equal(np.asarray(x).ravel(), np.asarray(y))
    assert asked == [8] * 12


def test_bad_pipelines():
    with pytest.raises(ValueError, match="more than the 50 training images"):
        batches(numbered(), 51, 0, 0, 1, "auto")
    with pytest.raises(ValueError, match="pipeline must be"):
        batches(numbered(), 8, 0, 0, 1, "stream")


HOW = dataclasses.replace(toy.RECIPE.preprocess, size=(6, 5))


def pictures(n=400):
    return np.random.default_rng(0).integers(0, 256, (1, 6, 5, 1)).repeat(n, 0).astype("uint8")


def test_inference_equals_the_one_statement_of_preprocessing():
    prepare = Prepare(HOW, flip=True, crop=2)
    np.testing.assert_allclose(
        array(prepare(pictures(3), training=False)), zoo.preprocess(HOW, pictures(3)), atol=1e-6
    )


def test_flip_mirrors_half_of_the_images():
    out = array(Prepare(HOW, flip=True)(pictures(), training=True))
    plain = zoo.preprocess(HOW, pictures(1))[0]
    same = [np.allclose(o, plain, atol=1e-5) for o in out]
    mirrored = [np.allclose(o, plain[:, ::-1], atol=1e-5) for o in out]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert abs(sum(same) - 200) < 5 * math.sqrt(100)


def test_crop_gives_every_window_of_the_reflected_image():
    out = array(Prepare(HOW, crop=1)(pictures(), training=True))
    padded = np.pad(zoo.preprocess(HOW, pictures(1))[0], [(1, 1), (1, 1), (0, 0)], mode="reflect")
    windows = [padded[i : i + 6, j : j + 5] for i in range(3) for j in range(3)]
    found = [[np.allclose(o, w, atol=1e-5) for w in windows] for o in out]
    assert all(any(row) for row in found)
    assert np.array(found).any(axis=0).all()


def test_randomness_continues_from_the_layer_state():
    one, other = Prepare(HOW, True, 2, seed=7), Prepare(HOW, True, 2, seed=7)
    first, second = (array(one(pictures(8), training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0
    other.random.state.assign(keras.ops.convert_to_numpy(one.random.state.value))
    np.testing.assert_array_equal(
        array(other(pictures(8), training=True)), array(one(pictures(8), training=True))
    )
