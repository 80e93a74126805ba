"""Statistics of every pixel in place of every channel."""

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from tests.test_preprocessing import PIXELS, RGB, noise
from zoo.errors import ZooError
from zoo.preprocessing import normalize, preprocess


def per_pixel():
    rng = np.random.default_rng(5)
    mean, std = rng.uniform(0, 1, 8 * 8 * 3), rng.uniform(0.1, 1, 8 * 8 * 3)
    return dataclasses.replace(RGB, mean=tuple(mean.tolist()), std=tuple(std.tolist()))


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (2, 30, 20, 3)])
def test_per_pixel_statistics(shape):
    how = per_pixel()
    images = noise(*shape)
    cut = preprocess(PIXELS, images)  # resized and cropped, 0..255
    expected = (cut / 255 - np.reshape(how.mean, (8, 8, 3))) / np.reshape(how.std, (8, 8, 3))
    np.testing.assert_allclose(preprocess(how, images), expected, rtol=1e-4, atol=1e-5)
    tensor = normalize(keras.ops.convert_to_tensor(cut), how)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(tensor), expected, rtol=1e-4, atol=1e-5)
    # One of the two may be per channel.
    mixed = dataclasses.replace(how, std=RGB.std)
    expected = (cut / 255 - np.reshape(how.mean, (8, 8, 3))) / np.array(RGB.std)
    np.testing.assert_allclose(preprocess(mixed, images), expected, rtol=1e-4, atol=1e-5)


def test_equal_pixels_are_as_channels():
    repeated = dataclasses.replace(RGB, mean=RGB.mean * 64, std=RGB.std * 64)
    images = noise(3, 8, 8, 3)
    np.testing.assert_array_equal(preprocess(repeated, images), preprocess(RGB, images))
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, normalize(inputs, repeated))
    np.testing.assert_allclose(
        model.predict_on_batch(images), preprocess(RGB, images), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("shape", [(2, 8, 9, 3), (8, 3), (8, 8, 1)])
def test_per_pixel_statistics_need_their_size(shape):
    with pytest.raises(ZooError, match=r"images of shape \(…, 8, 8, 3\)\. Received: \("):
        normalize(np.zeros(shape, "float32"), per_pixel())


def test_errors_of_long_statistics_are_short():
    with pytest.raises(ZooError, match=r"per channel \(3\) or per pixel .*\(191 numbers\)") as e:
        dataclasses.replace(RGB, mean=(0.123456789,) * 191)
    assert len(str(e.value)) < 300


def test_per_pixel_statistics_survive_the_card():
    from zoo.checkpoint.card import parse_card, to_json

    card = zoo.card("maxnorm_plainnet50.cifar10")
    values = np.random.default_rng(0).uniform(0.1, 1, 32 * 32 * 3).tolist()
    how = dataclasses.replace(card.preprocess, mean=tuple(values), std=tuple(values[::-1]))
    card = dataclasses.replace(card, preprocess=how)
    assert parse_card(to_json(card).encode(), "zoo.json").preprocess == how
