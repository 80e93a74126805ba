"""Encoded pictures and their random crops, and ImageNet as tensorflow-datasets has it."""

import io
import re

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.fake_sets import put_row, write_tfds
from training.data import Content, Pictures, prepared, read
from training.data.pictures import LEAST_AREA, larger_windows, window

pytestmark = pytest.mark.once

NAMES = ["n01440764", "n01443537", "n01484850"]


def smooth(height, width):
    """A picture without fine detail, (H, W, 3): JPEG and interpolation hardly change it."""
    y, x = np.mgrid[:height, :width]
    channels = [255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1), 128 + 0 * x]
    return np.stack(channels, axis=-1).astype("uint8")


def encoded(image, form="JPEG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def jpeg(height, width):
    return encoded(Image.fromarray(smooth(height, width)), quality=95)


def draws_of(n, seed=0):
    return np.random.default_rng(seed).random((n, Pictures.DRAWS), "float32")


# Decoding ----------------------------------------------------------------------------------------

COLOUR = Image.fromarray(smooth(40, 60))
KINDS = {
    "RGB": (encoded(COLOUR, quality=95), COLOUR),
    "grey": (encoded(COLOUR.convert("L"), quality=95), COLOUR.convert("L")),
    "CMYK": (encoded(COLOUR.convert("CMYK"), quality=95), COLOUR),
    "PNG": (encoded(COLOUR, "PNG"), COLOUR),
    "palette": (encoded(COLOUR.quantize(256), "PNG"), COLOUR),
    "transparency": (encoded(COLOUR.convert("RGBA"), "PNG"), COLOUR),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_rgb(kind):
    data, image = KINDS[kind]
    pictures = Pictures([data])
    expected = np.asarray(image.convert("RGB"), "float64")
    whole, crop = pictures[0], pictures.resized_crops([0], draws_of(1), (8, 8))
    assert (whole.dtype, whole.shape) == (np.uint8, (40, 60, 3))
    assert np.abs(whole - expected).mean() < 6
    assert (crop.dtype, crop.shape) == (np.uint8, (1, 8, 8, 3))
    plain = Pictures([encoded(image.convert("RGB"), "PNG")]).resized_crops([0], draws_of(1), (8, 8))
    assert np.abs(crop.astype("float64") - plain).mean() < 6


def test_pictures_by_number():
    pictures = Pictures([jpeg(8, 10), jpeg(9, 7)])
    assert len(pictures) == 2
    assert [x.shape for x in pictures] == [(8, 10, 3), (9, 7, 3)]
    assert np.array_equal(pictures[np.int64(1)], pictures[-1])
    with pytest.raises(IndexError):
        pictures[2]
    with pytest.raises(TypeError):
        pictures[0:1]


def test_the_cameras_orientation_is_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert Pictures([encoded(COLOUR, exif=exif)])[0].shape == (40, 60, 3)


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_broken_pictures_are_named(damage):
    whole = jpeg(50, 50)
    broken = {"truncated": whole[: len(whole) // 2], "garbage": b"x" * 100, "empty": b""}[damage]
    pictures = Pictures([whole, broken], "the attic")
    with pytest.raises(ValueError, match="picture 1 of the attic cannot be decoded"):
        pictures[1]
    with pytest.raises(ValueError, match="picture 1 of the attic cannot be decoded"):
        pictures.resized_crops([0, 1], draws_of(2), (4, 4))


# Random windows ----------------------------------------------------------------------------------


def test_windows_follow_their_distribution():
    """Area uniform in 8 to 100 %, logarithm of the aspect symmetric; every place is reached."""
    side = 1000
    boxes = np.array([window(side, side, d) for d in draws_of(4000).tolist()])
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    assert boxes.min() >= 0
    assert boxes.max() <= side
    aspect, area = width / height, width * height / side**2
    assert 0.749 < aspect.min() < 0.76
    assert 1.32 < aspect.max() < 1.335
    assert abs(np.log(aspect).mean()) < 0.01
    assert 0.079 < area.min() < 0.09
    assert area.max() > 0.95
    # Large windows of an unfitting aspect are drawn anew: below them, the density is even.
    small = area[area < 0.74]
    quarters = np.histogram(small, bins=4, range=(0.08, 0.74))[0] / len(small)
    assert np.allclose(quarters, 0.25, atol=0.03)
    left, room = boxes[:, 0], side - width
    assert np.allclose(np.histogram(left / (room + 1), 4, (0, 1))[0] / len(left), 0.25, atol=0.03)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (10, 100, (43, 0, 56, 10)),  # an aspect of 4/3, in the middle
        (100, 10, (0, 43, 10, 56)),
        (1, 5000, (2499, 0, 2500, 1)),
        (3, 4, (0, 0, 4, 3)),
    ],
)
def test_centre_where_no_try_fits(height, width, expected):
    area = 0.9999 if (height, width) != (1, 5000) else 0.5
    aspect = 0.0 if width >= height else 0.9999
    assert window(height, width, [area, aspect] * 10 + [0.5, 0.5]) == expected


def test_first_try_that_fits_is_taken():
    draws = [0.9999, 0.0] * 3 + [0.0, 0.5] + [0.5, 0.5] * 6 + [0.0, 0.99999]
    # 8 % of 100 x 200 pixels as a square is 40 x 40: on the left, at the bottom.
    assert window(100, 200, draws) == (0, 60, 40, 100)


def test_crops_are_the_windows():
    pictures = Pictures([encoded(Image.fromarray(smooth(64, 48)), "PNG")])
    draws = draws_of(1)
    left, top, right, bottom = window(64, 48, draws[0].astype("float64"))
    crop = pictures.resized_crops([0], draws, (bottom - top, right - left))
    assert np.array_equal(crop[0], smooth(64, 48)[top:bottom, left:right])


def test_crops_are_a_function_of_the_draws():
    """In any batch, by any number of threads."""
    data = [jpeg(30 + i, 50 - i) for i in range(6)]
    one, many = Pictures(data, threads=1), Pictures(data, threads=4)
    index, draws = np.array([3, 0, 5, 3]), draws_of(4)
    batch = many.resized_crops(index, draws, (16, 12))
    assert batch.shape == (4, 16, 12, 3)
    assert np.array_equal(batch, one.resized_crops(index, draws, (16, 12)))
    for row in range(4):
        alone = one.resized_crops(index[row : row + 1], draws[row : row + 1], (16, 12))
        assert np.array_equal(batch[row], alone[0])
    assert not np.array_equal(batch[0], batch[3])


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(401, 603), (600, 400)])
def test_reduced_decoding_shows_the_same_window(size, mode):
    """Large JPEGs are decoded at a part of their size; PNGs never are."""
    image = Image.fromarray(smooth(*size)).convert(mode)
    draws = draws_of(8, seed=3)
    spare = [min(np.subtract(b[2:], b[:2])) / 32 for b in (window(*size, d) for d in draws)]
    assert min(spare) > 4
    a, b = (
        Pictures([data]).resized_crops([0] * 8, draws, (32, 32)).astype("float64")
        for data in (encoded(image, quality=100), encoded(image, "PNG"))
    )
    assert np.abs(a - b).max() < 4


def test_bad_draws():
    pictures = Pictures([jpeg(8, 8)])
    for draws in (draws_of(2), draws_of(1)[:, :-1], draws_of(1) + 1, -draws_of(1)):
        with pytest.raises(ValueError, match=re.escape(f"shape (1, {Pictures.DRAWS})")):
            pictures.resized_crops([0], draws, (4, 4))


# ImageNet ----------------------------------------------------------------------------------------


def write_imagenet(data_dir, file_format="array_record"):
    """8 pictures for training, 4 for validation; the files by split."""
    data = [*(data for data, _ in KINDS.values()), *(jpeg(20 + i, 31 - i) for i in range(6))]
    parts = {"train": data[:8], "validation": data[8:]}
    folder = write_tfds(
        data_dir,
        "imagenet2012",
        "5.1.0",
        lambda kinds: {
            "image": kinds.Image(encoding_format="jpeg"),
            "label": kinds.ClassLabel(names=NAMES),
            "file_name": kinds.Text(),
        },
        {
            split: [
                {"image": io.BytesIO(data), "label": i % 3, "file_name": f"{i}.JPEG"}
                for i, data in enumerate(files)
            ]
            for split, files in parts.items()
        },
        file_format,
    )
    return folder, parts


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    sizes = {"train": 8, "test": 4}
    put_row(monkeypatch, "imagenet2012", sizes, {s: Content(n) for s, n in sizes.items()})
    return write_imagenet(tmp_path)


@pytest.mark.parametrize("own_folder", [False, True])
def test_imagenet(imagenet, tmp_path, own_folder):
    _, parts = imagenet
    for split, stored in (("train", "train"), ("test", "validation")):
        images = read("imagenet2012", split, tmp_path / "imagenet2012" if own_folder else tmp_path)
        assert images.labels == tuple(NAMES)
        assert images.y.dtype == np.int64
        numbers = {data: i for i, data in enumerate(parts[stored])}
        found = [numbers[images.x.encoded[i]] for i in range(len(images.x))]
        assert sorted(found) == list(range(len(numbers)))
        assert np.array_equal(images.y, np.array(found) % 3)
        assert np.array_equal(images.x[1], Pictures(parts[stored])[found[1]])
        draws = draws_of(3)
        assert np.array_equal(
            images.x.resized_crops([2, 0, 1], draws, (9, 8)),
            Pictures(parts[stored]).resized_crops([found[i] for i in (2, 0, 1)], draws, (9, 8)),
        )
    ready = zoo.preprocess(zoo.preprocessing.IMAGENET, [images.x[i] for i in (0, 3)])
    assert ready.shape == (2, 224, 224, 3)


def test_labels_are_kept_beside_the_pictures(imagenet, tmp_path, monkeypatch):
    folder, _ = imagenet
    path = folder / "labels-train.npy"
    y = read("imagenet2012", "train", tmp_path).y
    assert np.array_equal(np.load(path), y)
    assert sorted(p.name for p in folder.iterdir() if "labels-" in p.name) == [path.name]
    with monkeypatch.context() as patch:
        patch.setattr(prepared, "_labels", lambda examples: pytest.fail("they were kept"))
        assert np.array_equal(read("imagenet2012", "train", tmp_path).y, y)
    for broken in (b"", b"garbage", path.read_bytes()[:-4]):
        path.write_bytes(broken)
        assert np.array_equal(read("imagenet2012", "train", tmp_path).y, y)
        assert np.array_equal(np.load(path), y)
    np.save(path, y[:-1])  # of another size
    assert np.array_equal(read("imagenet2012", "train", tmp_path).y, y)
    assert np.array_equal(np.load(path), y)


def test_labels_where_nothing_can_be_written(imagenet, tmp_path, monkeypatch):
    folder, _ = imagenet

    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(prepared.np, "save", refuse)
    assert len(read("imagenet2012", "train", tmp_path).y) == 8
    assert not [p for p in folder.iterdir() if "labels-" in p.name]


def test_imagenet_of_another_size(tmp_path):
    folder, _ = write_imagenet(tmp_path)
    with pytest.raises(
        ValueError, match=re.escape(f"{folder}: 8 images and 8 labels, not 1281167")
    ):
        read("imagenet2012", "train", tmp_path)


def test_imagenet_as_tfrecord(tmp_path):
    folder, _ = write_imagenet(tmp_path, "tfrecord")
    with pytest.raises(ValueError, match="convert_format") as caught:
        read("imagenet2012", "train", tmp_path)
    assert f"--dataset_version_dir={folder} " in str(caught.value)


@pytest.mark.once
def test_larger_windows():
    draws = draws_of(4000)
    assert larger_windows(draws, LEAST_AREA) is draws
    boxes = np.array([window(500, 500, d) for d in larger_windows(draws, 0.5).tolist()])
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / 500**2
    assert areas.min() > 0.495
    assert 0.65 < areas.mean() < 0.75  # large ones of a long shape do not fit
    np.testing.assert_array_equal(draws, draws_of(4000))
