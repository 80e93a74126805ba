"""What a folder of photos may look like, and what is said of it."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support import photo_folder
from zoo.errors import MissingFileError, ZooError
from zoo.preprocessing import Preprocess
from zoo.tuning.listing import read_listing
from zoo.tuning.pictures import read_pictures
from zoo.tuning.split import stratified

pytestmark = pytest.mark.once

SETTINGS = Preprocess((8, 8), 3, 8, "bilinear", 1 / 255, (0.5,) * 3, (0.25,) * 3)


@pytest.fixture
def photos(tmp_path):
    return photo_folder.write(tmp_path / "photos", count=4)


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def read(photos, place):
    return read_pictures(read_listing(photos), SETTINGS, place, lambda text: None)


def test_a_good_folder(photos, place):
    pictures = read(photos, place)
    assert pictures.classes == ("bar", "disc", "square")
    assert pictures.notes == ()
    assert np.bincount(pictures.y).tolist() == [4, 4, 4]
    # What is learned from is what `zoo.predict` makes of the same file.
    for row, name in zip(pictures.rows, pictures.names, strict=True):
        ours = zoo.preprocessing.normalize(pictures.x[row], SETTINGS)
        np.testing.assert_array_equal(ours, zoo.preprocess(SETTINGS, photos / name)[0])


def test_turned_photos_are_upright(photos, place):
    image = Image.open(photos / "bar" / "0.png")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(photos / "bar" / "turned.png", exif=exif)
    pictures = read(photos, place)
    row = pictures.rows[pictures.names.index("bar/turned.png")]
    upright = zoo.preprocess(SETTINGS, image.transpose(Image.Transpose.ROTATE_270))[0]
    np.testing.assert_array_equal(zoo.preprocessing.normalize(pictures.x[row], SETTINGS), upright)


def test_decoded_once(photos, place, monkeypatch):
    first = read(photos, place)
    monkeypatch.setattr("zoo.tuning.pictures.prepare", None)  # no picture can be decoded now
    second = read(photos, place)
    assert second.names == first.names
    np.testing.assert_array_equal(second.x, first.x)


def test_what_is_left_out(photos, place):
    """Each oddity is named; the rest is read."""
    (photos / ".thumbs").mkdir()
    (photos / "bar" / ".DS_Store").write_text("x")
    (photos / "readme.txt").write_text("x")
    (photos / "disc" / "raw").mkdir()
    (photos / "empty").mkdir()
    (photos / "disc" / "broken.png").write_bytes((photos / "disc/0.png").read_bytes()[:60])
    (photos / "square" / "notes.txt").write_text("no picture")
    (photos / "square" / "nothing.png").touch()
    (photos / "hamster").mkdir()
    Image.new("RGB", (9, 9), "red").save(photos / "hamster" / "only.png")
    shutil.copy(photos / "disc" / "1.png", photos / "disc" / "copy.png")
    shutil.copy(photos / "disc" / "2.png", photos / "square" / "stolen.png")
    os.symlink(photos / "gone.png", photos / "bar" / "link.png")
    listing = read_listing(photos)
    pictures = read(photos, place)
    notes = "\n".join(listing.notes + pictures.notes)
    for part in (
        ".thumbs",
        ".DS_Store",
        "readme.txt: beside the folders of the classes, left out",
        "raw: within a class, left out",
        "empty: holds no files and is left out",
        "link.png",
        "broken.png cannot be decoded",
        "notes.txt is not an image",
        "nothing.png is empty",
        "hamster: 1 good picture, and a class needs 2",
        "disc/copy.png: copies of other pictures of their class, left out",
        "disc/2.png and square/stolen.png are the same picture in two classes",
    ):
        assert part in notes
    assert pictures.classes == ("bar", "disc", "square")
    assert np.bincount(pictures.y).tolist() == [4, 3, 4]
    assert not {"disc/2.png", "square/stolen.png", "disc/copy.png"} & set(pictures.names)


def test_refused_at_once(photos, tmp_path):
    with pytest.raises(MissingFileError, match=r"does not exist\. Give a folder"):
        read_listing(tmp_path / "gone")
    with pytest.raises(ZooError, match=r"at least two folders .* Received: none, and 4 files"):
        read_listing(photos / "bar")
    with pytest.raises(ZooError, match=r"Perhaps the classes are in .*photos: give that folder"):
        read_listing(tmp_path)
    (photos / "Disc").mkdir()
    with pytest.raises(ZooError, match=r"differ in case alone: Disc and disc\. Put their"):
        read_listing(photos)


def test_one_class(photos, place):
    for name in ("bar", "disc"):
        shutil.rmtree(photos / name)
    with pytest.raises(ZooError, match=r"at least two folders .* Received: square\."):
        read_listing(photos)
    shutil.copytree(photos / "square", photos / "box")  # all are in two classes now
    with pytest.raises(ZooError, match=r"fewer than two classes are left .* same picture"):
        read(photos, place)


def test_full_disk(photos, place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(ZooError, match="Make room"):
        read(photos, place)


def test_split():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [2, 9, 40])
    digests = [rng.bytes(8).hex() for _ in y]
    train, valid = stratified(y, digests, 0.25, seed=0)
    assert sorted([*train, *valid]) == list(range(len(y)))  # none in both
    assert np.bincount(y[valid]).tolist() == [1, 2, 10]
    # By content: another order or other names of the files change nothing.
    order = rng.permutation(len(y))
    _, moved = stratified(y[order], [digests[i] for i in order], 0.25, seed=0)
    assert {digests[i] for i in valid} == {digests[order[i]] for i in moved}
    assert set(valid) != set(stratified(y, digests, 0.25, seed=1)[1])
    # At least one learns, whatever the share.
    assert np.bincount(y[stratified(y, digests, 0.99, seed=0)[0]]).min() == 1
