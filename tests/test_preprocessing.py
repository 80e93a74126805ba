"""From pictures to model input, against values computed by hand and against Pillow."""

import dataclasses
import json
import types

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import ImageError, ZooError
from zoo.preprocessing import INTERPOLATIONS, PRESETS, Preprocess, normalize, preprocess

RGB = Preprocess(
    size=(8, 8),
    channels=3,
    resize=10,
    interpolation="bilinear",
    scale=1 / 255,
    mean=(0.5, 0.25, 0.0),
    std=(0.5, 0.25, 2.0),
)
PIXELS = dataclasses.replace(RGB, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)  # leaves 0..255
GREY = dataclasses.replace(PIXELS, channels=1, mean=(0.0,), std=(1.0,))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def smooth(height, width):
    """RGB without sharp edges."""
    y, x = np.mgrid[:height, :width]
    y, x = y * 4 / height, x * 4 / width
    waves = np.stack([np.sin(x + y), np.cos(x - 2 * y), np.sin(x) * np.cos(y)], axis=-1)
    return np.rint(127.5 + 120 * waves).astype("uint8")


# ---------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("size", [(8, 8), (10, 10), (40, 30), (1, 1), (3, 50)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_constant_pictures_give_the_exact_value(size, dtype):
    image = np.full((*size, 3), (255, 0, 51), dtype)
    expected = np.array([1.0, -1.0, 0.1], "float32")  # (x / 255 - mean) / std
    result = preprocess(RGB, image)
    np.testing.assert_allclose(result, np.broadcast_to(expected, (1, 8, 8, 3)), rtol=1e-6)


def test_pictures_of_the_models_size_are_only_normalized():
    batch = noise(5, 8, 8, 3)
    result = preprocess(RGB, batch)
    assert result.dtype == np.float32
    assert result.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(result, normalize(batch.astype("float32"), RGB))
    expected = (batch / 255 - np.array(RGB.mean)) / np.array(RGB.std)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("shape", [(37, 23), (23, 37), (10, 19), (5, 7), (100, 101)])
def test_equals_resize_then_centre_crop(interpolation, shape):
    how = dataclasses.replace(PIXELS, interpolation=interpolation)
    image = Image.fromarray(noise(*shape, 3))
    factor = 10 / min(shape)
    height, width = round(shape[0] * factor), round(shape[1] * factor)
    whole = image.resize((width, height), Image.Resampling[interpolation.upper()])
    top, left = (height - 8) // 2, (width - 8) // 2
    expected = np.asarray(whole.crop((left, top, left + 8, top + 8)), "float32")
    np.testing.assert_allclose(preprocess(how, image)[0], expected, atol=1)


def test_scaling_down_is_antialiased():
    stripes = np.zeros((80, 80), "uint8")
    stripes[:, ::2] = 255
    how = dataclasses.replace(GREY, resize=8)
    for array in (stripes, stripes.astype("float32")):
        assert abs(preprocess(how, array) - 127.5).max() < 8


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("shape", [(37, 23), (5, 7), (8, 8)])
def test_float_and_uint8_agree_within_a_level(interpolation, shape):
    how = dataclasses.replace(PIXELS, interpolation=interpolation)
    image = smooth(*shape)
    whole, real = preprocess(how, image), preprocess(how, image.astype("float64"))
    np.testing.assert_allclose(whole, real, atol=1)
    assert real.min() >= 0
    assert real.max() <= 255


def test_float_keeps_what_uint8_rounds():
    image = np.full((20, 20, 3), 100.25)
    np.testing.assert_allclose(preprocess(PIXELS, image), 100.25)


@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos"])
def test_float_overshoot_is_clipped(interpolation):
    image = np.zeros((20, 20), "float32")
    image[:, 10:] = 255
    result = preprocess(dataclasses.replace(GREY, interpolation=interpolation), image)
    assert result.min() == 0
    assert result.max() == 255


def test_photo_keeps_its_proportions_and_centre():
    data = pytest.importorskip("skimage.data")
    cat = data.cat()  # 300 x 451
    how = dataclasses.replace(PIXELS, size=(224, 224), resize=256)
    result = preprocess(how, cat)
    assert result.shape == (1, 224, 224, 3)
    again = Image.fromarray(cat).resize((385, 256), Image.Resampling.BILINEAR)
    expected = np.asarray(again, "float32")[16:240, 80:304]
    assert abs(result[0] - expected).max() <= 1
    np.testing.assert_allclose(preprocess(how, cat.astype("float32"))[0], expected, atol=1.01)


def test_size_beyond_resize_is_covered():
    for size in ((16, 8), (8, 16), (16, 16)):
        how = dataclasses.replace(PIXELS, size=size, resize=8)
        for shape in ((20, 20), (9, 31), (31, 9), (1, 1)):
            result = preprocess(how, np.full((*shape, 3), 200, "uint8"))
            assert result.shape == (1, *size, 3)
            np.testing.assert_array_equal(result, 200)  # no padding came in


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 60000)])
def test_extreme_proportions(shape):
    how = dataclasses.replace(PIXELS, size=(224, 224), resize=256, interpolation="bicubic")
    for dtype in ("uint8", "float32"):
        image = np.full((*shape, 3), 77, dtype)
        np.testing.assert_allclose(preprocess(how, image), 77, atol=1e-3)


# --------------------------------------------------------------------------------------- channels


def test_grey_is_repeated_for_rgb():
    image = noise(8, 8)
    np.testing.assert_array_equal(preprocess(PIXELS, image)[0], np.stack([image] * 3, axis=-1))


def test_rgb_to_grey_is_pillows():
    image = noise(8, 8, 3)
    expected = np.asarray(Image.fromarray(image).convert("L"), "float32")
    np.testing.assert_array_equal(preprocess(GREY, image)[0, :, :, 0], expected)
    real = preprocess(GREY, image.astype("float32"))[0, :, :, 0]
    np.testing.assert_allclose(real, image @ [0.299, 0.587, 0.114], rtol=1e-5)
    np.testing.assert_allclose(real, expected, atol=0.501)


def test_white_stays_white_in_grey():
    white = np.full((8, 8, 3), 255.0)
    np.testing.assert_allclose(preprocess(GREY, white), 255, rtol=1e-6)


def test_opacity_channel():
    image = np.zeros((8, 8, 4), "uint8")
    np.testing.assert_array_equal(preprocess(PIXELS, image), 255)
    np.testing.assert_array_equal(preprocess(GREY, image.astype("float32")), 255)


# --------------------------------------------------------------- one, many, and the vectorized way


@pytest.mark.parametrize("how", [RGB, dataclasses.replace(GREY, mean=(0.3,), std=(0.7,))])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("side", [8, 13])
def test_batch_list_and_single_are_bit_equal(how, channels, dtype, side):
    batch = noise(4, side, side, channels).astype(dtype)
    if dtype != "uint8":
        batch = batch * np.asarray(0.997, dtype)
    together = preprocess(how, batch)
    np.testing.assert_array_equal(together, preprocess(how, list(batch)))
    np.testing.assert_array_equal(together, preprocess(how, tuple(batch)))
    np.testing.assert_array_equal(
        together, np.concatenate([preprocess(how, image) for image in batch])
    )


def test_file_pil_and_array_are_equal(tmp_path):
    image = noise(21, 34, 3)
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    sources = [path, str(path), Image.fromarray(image), image, keras.ops.convert_to_tensor(image)]
    results = preprocess(RGB, sources)
    for source, result in zip(sources, results, strict=True):
        np.testing.assert_array_equal(result, results[0])
        np.testing.assert_array_equal(preprocess(RGB, source)[0], results[0])


def test_batch_as_tensor():
    batch = noise(3, 9, 9, 3)
    np.testing.assert_array_equal(
        preprocess(RGB, keras.ops.convert_to_tensor(batch)), preprocess(RGB, batch)
    )


def test_list_of_different_sizes():
    images = [noise(8, 8, 3), noise(30, 20), noise(5, 50, 3).astype("float32")]
    assert preprocess(RGB, images).shape == (3, 8, 8, 3)


def test_none_at_all():
    assert preprocess(RGB, []).shape == (0, 8, 8, 3)
    assert preprocess(RGB, np.zeros((0, 20, 20, 3), "uint8")).shape == (0, 8, 8, 3)
    assert preprocess(RGB, np.zeros((0, 8, 8, 3))).shape == (0, 8, 8, 3)


def test_input_is_left_as_it_was():
    for array in (noise(2, 8, 8, 3), noise(2, 8, 8, 3).astype("float32")):
        before = array.copy()
        preprocess(RGB, array)
        np.testing.assert_array_equal(array, before)


# -------------------------------------------------------------------------------- models and errors


def test_model_with_card():
    model = zoo.create("maxnorm_mlp3", input_shape=(8, 8, 3))
    with pytest.raises(ZooError, match=r"'maxnorm_mlp3' has no card.*zoo\.load.*Preprocess"):
        preprocess(model, noise(8, 8, 3))
    model.zoo_card = types.SimpleNamespace(preprocess=RGB)
    image = noise(8, 8, 3)
    np.testing.assert_array_equal(preprocess(model, image), preprocess(RGB, image))
    with pytest.raises(ZooError, match=r"'maxnorm_mlp3.usps' has no card"):
        preprocess("maxnorm_mlp3.usps", noise(8, 8, 3))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 16, 16), "uint8"), r"images\[0\] must be of shape.*Received: \(2, 16, 16\)"),
        (np.zeros((2, 3, 8, 8), "uint8"), r"channels last.*Received: \(2, 3, 8, 8\)"),
        (np.zeros((2, 8, 8, 3)) - 1, "images must hold values from 0 to 255, not normalized"),
        (np.zeros((2, 8, 8, 3), "int32"), "images must be uint8 or float"),
        ([np.zeros((8, 8, 3), "uint8"), np.full((8, 8), np.nan)], r"images\[1\] must hold values"),
        ([np.zeros((2, 8, 8, 3), "uint8")], r"images\[0\] must be of shape"),
        (["cat.png", "dog.png"], r"no file cat\.png"),
        ({"a": 1}, r"images\[0\] must be a path, a PIL image or an array.*dict"),
    ],
)
def test_wrong_images(images, message):
    with pytest.raises(ImageError, match=message):
        preprocess(RGB, images)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 8)},
        {"size": (8, 8, 3)},
        {"channels": 4},
        {"resize": 0},
        {"interpolation": "cubic"},
        {"mean": (0.0,)},
        {"std": (1.0, 1.0, 0.0)},
        {"std": ()},
        {"mean": (0.0,) * 191},
        {"std": (1.0,) * 191 + (0.0,)},
    ],
)
def test_wrong_preprocess(wrong):
    (name,) = wrong
    with pytest.raises(ZooError, match=f"Preprocess: {name} must be .*Received: {name}="):
        dataclasses.replace(RGB, **wrong)


# -------------------------------------------------------------------------------------- normalize


@pytest.mark.parametrize("dtype", ["uint8", "float16", "bfloat16", "float32"])
def test_normalize_takes_arrays_and_tensors_alike(dtype):
    images = noise(2, 8, 8, 3)
    tensor = keras.ops.cast(keras.ops.convert_to_tensor(images), dtype)
    result = normalize(tensor, RGB)
    assert keras.ops.is_tensor(result)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    array = keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))
    expected = normalize(array, RGB)
    assert isinstance(expected, np.ndarray)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(keras.ops.convert_to_numpy(result), expected, rtol=1e-6, atol=1e-6)


def test_normalize_in_a_functional_model():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, normalize(inputs, RGB))
    images = noise(2, 8, 8, 3)
    np.testing.assert_allclose(
        model.predict_on_batch(images), normalize(images, RGB), rtol=1e-5, atol=1e-6
    )


# ---------------------------------------------------------------------------------------- presets


@pytest.mark.parametrize("name", PRESETS)
def test_presets_on_a_photo(name):
    """What each preset makes of a real photo, recomputed by Pillow and by hand."""
    from skimage import data

    how = PRESETS[name]
    photo = Image.fromarray(data.chelsea()).convert("L" if how.channels == 1 else "RGB")
    width, height = photo.size
    factor = how.resize / min(photo.size)
    resample = Image.Resampling[how.interpolation.upper()]
    whole = photo.resize((round(width * factor), round(height * factor)), resample)
    left, top = (whole.width - how.size[1]) // 2, (whole.height - how.size[0]) // 2
    crop = np.asarray(
        whole.crop((left, top, left + how.size[1], top + how.size[0])), "float64"
    ).reshape(*how.size, how.channels)
    expected = (crop * how.scale - how.mean) / how.std
    result = zoo.preprocess(how, data.chelsea())
    assert result.shape == (1, *how.size, how.channels)
    # One grey level of 255, for the last rounding of the two resizings.
    np.testing.assert_allclose(result[0], expected, atol=1.01 * how.scale / min(how.std))
    # On the scale of a standardized input, neither 0..1 nor 0..255.
    assert -3 < result.min() < -0.4
    assert 0.3 < result.max() < 3


def test_presets_standardize_photos_of_imagenet(shared_data):
    photos = sorted((shared_data / "imagenet_samples" / "images").glob("*"))
    x = zoo.preprocess(PRESETS["imagenet"], [str(p) for p in photos])
    assert np.abs(x.mean(axis=(0, 1, 2))).max() < 0.25
    assert np.abs(x.std(axis=(0, 1, 2)) - 1).max() < 0.25


def test_a_model_with_a_preset():
    model = zoo.create("plainnet20", width=1)
    with pytest.raises(ZooError, match="no card that says"):
        zoo.preprocess(model, noise(40, 40, 3))
    model.zoo_preprocess = PRESETS["cifar"]
    assert zoo.preprocess(model, noise(40, 40, 3)).shape == (1, 32, 32, 3)


def test_paths_and_numbers_of_numpy(tmp_path):
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((8, 8, 3), 100 * i, "uint8")).save(path)
    expected = preprocess(RGB, paths)
    names = np.array([str(path) for path in paths])
    np.testing.assert_array_equal(preprocess(RGB, names), expected)
    np.testing.assert_array_equal(preprocess(RGB, np.array(paths, object)), expected)
    for single in (names[1], np.array(names[1])):
        np.testing.assert_array_equal(preprocess(RGB, single), expected[1:])
    settings = dataclasses.replace(
        RGB,
        size=np.array(RGB.size),
        channels=np.int64(3),
        scale=np.float32(0.5),
        mean=list(map(np.float64, RGB.mean)),
    )
    assert settings == dataclasses.replace(RGB, scale=0.5)
    json.dumps(dataclasses.asdict(settings))
