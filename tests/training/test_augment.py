"""Augmentation: what each kind does to images, given its random numbers."""

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from tests.support import toy
from tests.support.helpers import array
from training.augment import COLOR_DEVIATIONS, COLOR_DIRECTIONS, Prepare

GREY = dataclasses.replace(toy.RECIPE.preprocess, size=(6, 5))
RGB = dataclasses.replace(GREY, channels=3, mean=(0.4,) * 3, std=(0.3,) * 3)


def pictures(n, channels=1):
    one = np.random.default_rng(0).integers(0, 256, (1, 6, 5, channels))
    return one.repeat(n, 0).astype("uint8")


def draws(layer, n):
    return np.random.default_rng(1).random((n, layer.draws), "float32")


def test_inference_equals_the_one_statement_of_preprocessing():
    prepare = Prepare(RGB, flip=True, crop=2, jitter=0.4, lighting=0.1)
    given = draws(prepare, 3)
    np.testing.assert_allclose(
        array(prepare(pictures(3, 3), given, training=False)),
        zoo.preprocess(RGB, pictures(3, 3)),
        atol=1e-6,
    )


def test_how_many_numbers_an_image_takes():
    assert Prepare(RGB).draws == 0
    assert Prepare(RGB, flip=True).draws == 1
    assert Prepare(RGB, flip=True, crop=4, jitter=0.4, lighting=0.1).draws == 9


def test_flip_mirrors_below_one_half():
    given = np.array([[0.0], [0.49], [0.5], [0.99]], "float32")
    out = array(Prepare(GREY, flip=True)(pictures(4), given, training=True))
    plain = zoo.preprocess(GREY, pictures(1))[0]
    for image, mirrored in zip(out, (True, True, False, False), strict=True):
        np.testing.assert_allclose(image, plain[:, ::-1] if mirrored else plain, atol=1e-6)


def test_crop_gives_every_window_of_the_reflected_image():
    padded = np.pad(zoo.preprocess(GREY, pictures(1))[0], [(1, 1), (1, 1), (0, 0)], mode="reflect")
    thirds = np.array([0.0, 0.34, 0.999], "float32")
    given = np.stack(np.meshgrid(thirds, thirds, indexing="ij"), -1).reshape(9, 2)
    out = array(Prepare(GREY, crop=1)(pictures(9), given, training=True))
    windows = [padded[i : i + 6, j : j + 5] for i in range(3) for j in range(3)]
    np.testing.assert_allclose(out, np.stack(windows), atol=1e-5)


@pytest.mark.parametrize("kind", range(3))
def test_jitter_scales_brightness_contrast_and_saturation(kind):
    """A draw of 1/2 changes nothing; one of 0 scales the property by 1 - jitter."""
    given = np.full((1, 3), 0.5, "float32")
    given[0, kind] = 0
    raw = pictures(1, 3)[0].astype("float32")
    grey = raw @ np.array([0.299, 0.587, 0.114], "float32")
    centre = [0, grey.mean(), grey[..., None]][kind]
    expected = 0.6 * raw + 0.4 * centre
    out = array(Prepare(RGB, jitter=0.4)(pictures(1, 3), given, training=True))[0]
    np.testing.assert_allclose(out, (expected / 255 - 0.4) / 0.3, atol=1e-4)


def test_lighting_shifts_colours_along_their_directions():
    n = 20_000
    prepare = Prepare(RGB, lighting=0.1)
    black = np.zeros((n, 6, 5, 3), "uint8")[:, :1, :1]
    out = array(prepare(black, draws(prepare, n), training=True))[:, 0, 0]
    shift = out * 0.3 + 0.4  # undo the normalization
    expected = COLOR_DIRECTIONS @ np.diag((0.1 * COLOR_DEVIATIONS) ** 2) @ COLOR_DIRECTIONS.T
    np.testing.assert_allclose(np.cov(shift.T), expected, atol=0.05 * expected.max())
    np.testing.assert_allclose(shift.mean(0), 0, atol=4 * 0.1 * 0.2175 / np.sqrt(n))


def test_the_draws_decide():
    prepare = Prepare(RGB, flip=True, crop=2, jitter=0.4, lighting=0.1)
    given = draws(prepare, 8)
    one, two = (array(prepare(pictures(8, 3), given, training=True)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - one[:1]).max() > 0.1


def test_random_numbers_keep_their_precision_in_half_precision_training():
    images = np.random.default_rng(2).integers(0, 256, (64, 6, 5, 3)).astype("uint8")
    kinds = {"flip": True, "crop": 2, "jitter": 0.4, "lighting": 0.1}
    full, half = Prepare(RGB, **kinds), Prepare(RGB, **kinds, dtype="mixed_bfloat16")
    given = draws(full, 64)
    given[0] = 1 - 2**-24  # rounds to 1 in bfloat16, a window beyond the last
    expected = keras.ops.cast(full(images, given, training=True), "bfloat16")
    out = half(images, given, training=True)
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    np.testing.assert_array_equal(
        array(keras.ops.cast(out, "float32")), array(keras.ops.cast(expected, "float32"))
    )
