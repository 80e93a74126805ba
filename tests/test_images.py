"""Reading pictures of every kind, and what is said of those that cannot be read."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.errors import ImageError
from zoo.images import read_image, read_pixels

pytestmark = pytest.mark.once

# Each corner its own colour, and not square: every turn and mirroring shows.
CORNERS = np.zeros((4, 6, 3), "uint8")
CORNERS[0, 0], CORNERS[0, 5], CORNERS[3, 0], CORNERS[3, 5] = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 0),
)
GREY = np.arange(24, dtype="uint8").reshape(4, 6) * 10


def save(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


# ------------------------------------------------------------------ modes of files and PIL images


def test_rgb_and_grey_files(tmp_path):
    rgb = save(Image.fromarray(CORNERS), tmp_path / "rgb.png")
    grey = save(Image.fromarray(GREY), tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(rgb), CORNERS)
    np.testing.assert_array_equal(read_image(str(grey)), GREY[:, :, None])


def test_a_real_photo():
    data = pytest.importorskip("skimage.data")
    path = Path(data.__file__).with_name("chelsea.png")
    np.testing.assert_array_equal(read_image(path), data.cat())


def test_result_is_the_callers_to_write(tmp_path):
    for image in (Image.fromarray(CORNERS), Image.fromarray(GREY), Image.new("RGBA", (2, 2))):
        read_image(save(image, tmp_path / "a.png"))[0, 0] = 7


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bit_grey_is_scaled(tmp_path, kind):
    values = np.array([[0, 128, 129, 257], [32768, 65407, 65406, 65535]], "uint16")
    path = save(Image.fromarray(values), tmp_path / f"deep.{kind}")
    expected = np.rint(values / 257).astype("uint8")
    np.testing.assert_array_equal(read_image(path)[:, :, 0], expected)
    assert expected[0, 0] == 0
    assert expected[-1, -1] == 255


def test_32_bit_grey():
    image = Image.fromarray(np.array([[0, 65535]], "int32"))
    assert read_image(image).tolist() == [[[0], [255]]]
    with pytest.raises(ImageError, match=r"from -1 to 70000.*65535"):
        read_image(Image.fromarray(np.array([[-1, 70000]], "int32")))


def test_float_pil_image():
    image = Image.fromarray(np.array([[0.4, 254.6]], "float32"))
    assert read_image(image).tolist() == [[[0], [255]]]
    assert read_pixels(image).dtype == np.float32


def test_1_bit(tmp_path):
    image = Image.fromarray(GREY > 100)
    assert image.mode == "1"
    path = save(image, tmp_path / "fax.png")
    np.testing.assert_array_equal(read_image(path)[:, :, 0], (GREY > 100) * np.uint8(255))


def test_rgba_over_white(tmp_path):
    image = Image.new("RGBA", (3, 1))
    image.putdata([(200, 100, 0, 255), (200, 100, 0, 0), (200, 100, 0, 51)])
    path = save(image, tmp_path / "a.png")
    assert read_image(path).tolist() == [[[200, 100, 0], [255, 255, 255], [244, 224, 204]]]


def test_la_over_white_stays_grey(tmp_path):
    image = Image.new("LA", (3, 1))
    image.putdata([(100, 255), (100, 0), (100, 51)])
    assert read_image(save(image, tmp_path / "a.png")).tolist() == [[[100], [255], [224]]]


def test_premultiplied_alpha():
    image = Image.new("RGBA", (1, 1), (200, 100, 0, 51))
    assert abs(read_image(image.convert("RGBa")).astype(int) - [[[244, 224, 204]]]).max() <= 2
    grey = Image.new("LA", (1, 1), (100, 51))
    assert abs(read_image(grey.convert("La")).astype(int) - [[[224]]]).max() <= 2


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_palette_with_transparency_over_white(tmp_path, kind):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    opaque = save(image, tmp_path / f"opaque.{kind}")
    assert read_image(opaque).tolist() == [[[10, 20, 30], [40, 50, 60]]]
    clear = save(image, tmp_path / f"clear.{kind}", transparency=1)
    assert read_image(clear).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_transparent_colour_of_rgb_and_grey(tmp_path):
    path = save(Image.new("RGB", (1, 1), (1, 2, 3)), tmp_path / "a.png", transparency=(1, 2, 3))
    assert read_image(path).tolist() == [[[255, 255, 255]]]
    path = save(Image.new("L", (1, 1), 9), tmp_path / "b.png", transparency=9)
    assert read_image(path).tolist() == [[[255]]]


def test_cmyk(tmp_path):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert read_image(image)[0, 0].tolist() == [255, 0, 0]
    photo = read_image(save(image, tmp_path / "print.jpg", quality=100))
    assert abs(photo[8, 8].astype(int) - [255, 0, 0]).max() < 6


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB", "RGBX", "PA"])
def test_other_modes_become_rgb(mode):
    assert read_image(Image.new(mode, (3, 2))).shape == (2, 3, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    turned = {  # how a camera stores an upright picture that it notes as of this orientation
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    for array, upright in ((CORNERS, CORNERS), (GREY, GREY[:, :, None])):
        stored = Image.fromarray(np.ascontiguousarray(turned[orientation](array)))
        path = save(stored, tmp_path / "turned.png", exif=exif)
        np.testing.assert_array_equal(read_image(path), upright)
        with Image.open(path) as image:
            np.testing.assert_array_equal(read_image(image), upright)


def test_broken_exif_does_no_harm(tmp_path):
    path = save(Image.fromarray(CORNERS), tmp_path / "a.png", exif=b"Exif\0\0garbage")
    np.testing.assert_array_equal(read_image(path), CORNERS)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_first_frame_of_an_animation(tmp_path, kind):
    first, second = (Image.new("RGB", (5, 4), c) for c in ((255, 0, 0), (0, 0, 255)))
    lossless = {"lossless": True} if kind == "webp" else {}
    path = save(first, tmp_path / f"film.{kind}", save_all=True, append_images=[second], **lossless)
    np.testing.assert_array_equal(read_image(path), np.full((4, 5, 3), (255, 0, 0)))


def test_pil_image_is_left_as_it_was():
    image = Image.new("RGBA", (3, 2), (1, 2, 3, 4))
    read_image(image)
    assert image.mode == "RGBA"
    assert image.getpixel((0, 0)) == (1, 2, 3, 4)


@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000)])
def test_odd_sizes(tmp_path, size):
    path = save(Image.new("RGB", size), tmp_path / "a.png")
    assert read_image(path).shape == (size[1], size[0], 3)


# ----------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_arrays(dtype):
    for array, expected in (
        (GREY, GREY[:, :, None]),
        (GREY[:, :, None], GREY[:, :, None]),
        (CORNERS, CORNERS),
    ):
        result = read_image(array.astype(dtype))
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_rgba_array_over_white(dtype):
    array = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], dtype)
    assert read_image(array).tolist() == [[[200, 100, 0], [255, 255, 255], [244, 224, 204]]]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bfloat16"])
def test_tensors(dtype):
    import keras

    tensor = keras.ops.cast(keras.ops.convert_to_tensor(CORNERS), dtype)
    expected = CORNERS if dtype != "bfloat16" else np.where(CORNERS, 255, 0)
    np.testing.assert_array_equal(read_image(tensor), expected)


def test_dark_floats_are_not_guessed_to_be_scaled():
    assert read_image(np.full((2, 2), 1.0)).max() == 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5, "uint8"), r"\(H, W\).*Received: \(5,\)"),
        (np.zeros((1, 2, 2, 3), "uint8"), r"Received: \(1, 2, 2, 3\).*batch"),
        (np.zeros((3, 8, 8), "uint8"), r"channels last.*Received: \(3, 8, 8\)"),
        (np.zeros((8, 8, 2), "uint8"), r"Received: \(8, 8, 2\)"),
        (np.zeros((0, 8, 3), "uint8"), r"no side empty.*Received: \(0, 8, 3\)"),
        (np.zeros((8, 8), "int64"), r"uint8 or float.*Received: int64.*astype"),
        (np.zeros((8, 8), "bool"), "Received: bool"),
        (np.zeros((8, 8), "uint16"), "Received: uint16"),
        (np.full((8, 8), np.nan), "from 0 to 255.*nan"),
        (np.full((8, 8), np.inf), "from 0 to 255.*inf"),
        (np.array([[0.0, 256.0]]), "Received: values from 0 to 256"),
        (np.array([[-1.0, 1.0]]), "not normalized ones. Received: values from -1 to 1"),
    ],
)
def test_wrong_arrays(array, message):
    with pytest.raises(ImageError, match=message):
        read_image(array)


@pytest.mark.parametrize("source", [None, 3, b"bytes", [[1, 2]], object()])
def test_wrong_types(source):
    with pytest.raises(ImageError, match=f"path, a PIL image or an array.*{type(source).__name__}"):
        read_image(source)


# ----------------------------------------------------------------------------------- broken files


def test_missing_file_and_address(tmp_path):
    with pytest.raises(ImageError, match=r"no file .*gone\.png.*Check the name"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match=r"Download it first"):
        read_image("https://example.org/cat.png")


def test_directory(tmp_path):
    with pytest.raises(ImageError, match=f"{tmp_path.name} is a folder"):
        read_image(tmp_path)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ImageError, match=r"empty\.jpg is empty"):
        read_image(path)


def test_not_an_image(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    with pytest.raises(ImageError, match=r"notes\.png is not an image.*PNG or JPEG"):
        read_image(path)


@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "webp", "tiff", "bmp"])
def test_truncated(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")
    path = save(Image.fromarray(noise), tmp_path / f"cut.{kind}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=rf"cut\.{kind} "):
        read_image(path)


def test_truncated_picture_opened_by_the_caller(tmp_path):
    path = save(Image.fromarray(np.tile(CORNERS, (20, 20, 1))), tmp_path / "cut.jpg")
    path.write_bytes(path.read_bytes()[:-200])
    with Image.open(path) as image, pytest.raises(ImageError, match=r"cut\.jpg cannot be decoded"):
        read_image(image)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about what it meets
def test_every_damage_is_an_image_error_or_an_image(tmp_path):
    random = np.random.default_rng(0)
    for kind in ("jpg", "png", "gif", "tiff"):
        path = save(Image.fromarray(np.tile(CORNERS, (4, 4, 1))), tmp_path / f"hurt.{kind}")
        whole = np.frombuffer(path.read_bytes(), "uint8")
        for _ in range(40):
            hurt = whole.copy()
            hurt[random.integers(0, len(hurt), 3)] = random.integers(0, 256, 3)
            path.write_bytes(hurt.tobytes())
            with contextlib.suppress(ImageError):  # any other error fails the test
                assert read_image(path).dtype == np.uint8


def test_absurd_dimensions(tmp_path, monkeypatch):
    path = save(Image.new("1", (300, 300)), tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ImageError, match=r"bomb\.png is too large.*Scale it down"):
        read_image(path)


def test_name_that_the_system_refuses():
    with pytest.raises(ImageError, match=r"cannot be read|no file"):
        read_image("a" * 5000)
