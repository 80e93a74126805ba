"""`zoo.export`: files of other runtimes that say what the model says, and what is refused."""

import dataclasses
import importlib.util
import json

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.helpers import array
from zoo.deploy import exported, exporting, runtime
from zoo.deploy.exported import RUNTIMES, card_file, load_exported
from zoo.errors import MissingFileError, UnknownNameError, ZooError

NAME = "resnet20.cifar10"
CASES = [(each, precision) for each in RUNTIMES.values() for precision in each.packages]


@pytest.fixture(scope="module")
def model():
    return zoo.load(NAME)


@pytest.fixture(scope="module")
def pictures():
    return exporting.generated(zoo.card(NAME).preprocess)


def needs(kind, precision):
    """Skips where a format cannot be written here."""
    backend = keras.backend.backend()
    if backend not in kind.backends:
        pytest.skip(f"{kind.name} is written on {' or '.join(kind.backends)}")
    for module in (*kind.packages[precision], *kind.reads):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")


@pytest.mark.release
@pytest.mark.parametrize(("kind", "precision"), CASES)
def test_every_file_says_what_the_model_says(kind, precision, model, pictures, tmp_path):
    needs(kind, precision)
    path = tmp_path / f"net{kind.suffix}"
    # Noise is no picture of anything: int8 may choose otherwise where two classes are alike.
    card = zoo.export(
        model, path, format=kind.name, precision=precision, calibrate=pictures, force=True
    )
    agreement = card.agreement
    assert agreement.top1 >= {"float32": 1.0, "float16": 0.95, "int8": 0.75}[precision]
    assert agreement.difference <= {"float32": 1e-4, "float16": 0.02, "int8": 1.0}[precision]
    assert (card.source, card.labels) == (NAME, model.zoo_card.labels)
    assert card.sha256 == model.zoo_card.files["model.safetensors"].sha256
    net = load_exported(path)
    assert net.card == card
    for count in (1, 3):  # any number of pictures
        received, expected = net(pictures[:count]), array(model(net.inputs(pictures[:count])))
        assert received.shape == (count, 10)
        if precision == "float32":
            np.testing.assert_allclose(received, expected, atol=1e-4)
    assert not [file.name for file in tmp_path.iterdir() if file.name.startswith(".")]


@pytest.mark.release
@pytest.mark.parametrize("kind", RUNTIMES.values())
@pytest.mark.parametrize("name", [NAME, "maxnorm_mlp3"])
def test_a_file_that_normalizes_takes_pixels(kind, name, tmp_path):
    needs(kind, "float32")
    model = zoo.load(name) if name == NAME else grey(tmp_path)
    settings = model.zoo_card.preprocess
    images = exporting.generated(settings)
    path = tmp_path / f"net{kind.suffix}"
    card = zoo.export(model, path, format=kind.name, calibrate=images, normalize=True)
    assert card.normalizes
    net = load_exported(path)
    np.testing.assert_array_equal(net.inputs(images), images)
    expected = array(model(zoo.preprocess(settings, images)))
    np.testing.assert_allclose(net(images), expected, atol=2e-4)


def grey(folder):
    """A small net whose mean and deviation are those of each pixel."""
    model = zoo.create("maxnorm_mlp3", units=8, input_shape=(4, 5, 1), num_classes=3)
    mean, std = np.linspace(0.2, 0.6, 20), np.linspace(0.1, 0.3, 20)
    settings = zoo.preprocessing.Preprocess((4, 5), 1, 5, "bilinear", 1 / 255, mean, std)
    zoo.save(model, folder / "grey", labels=["a", "b", "c"], preprocess=settings)
    return zoo.load(folder / "grey")


@pytest.fixture
def fake(monkeypatch):
    """A format whose files hold nothing, and whose runtime is the model itself, or not."""

    def install(answer):
        kind = runtime.Runtime(
            name="fake",
            suffix=".fake",
            extra="fake",
            packages={"float32": (), "int8": ("no_such_package",)},
            backends=("tensorflow", "jax", "torch"),
            write=lambda model, path, *_: path.write_text(model.name),
            open=lambda path: answer,
            reads=(),
        )
        monkeypatch.setitem(RUNTIMES, "fake", kind)
        monkeypatch.setattr(exporting, "fold", lambda model: model)

    return install


@pytest.mark.once
def test_a_file_that_disagrees_is_not_kept(fake, model, tmp_path):
    fake(lambda x: np.eye(10)[np.zeros(len(x), int)])
    path = tmp_path / "net.fake"
    with pytest.raises(ZooError, match=r"agrees with resnet20 on .*%.*Nothing was written"):
        zoo.export(model, path)
    assert not list(tmp_path.iterdir())
    card = zoo.export(model, path, force=True)
    assert card.agreement.top1 < 0.99
    assert not card.agreement.real
    assert load_exported(path).predict(np.zeros((32, 32, 3)), top=1) == [[("airplane", 1.0)]]
    # An earlier export is replaced on request, and stays where the new one disagrees.
    with pytest.raises(ZooError, match="overwrite=True"):
        zoo.export(model, path)
    before = card_file(path).read_bytes()
    with pytest.raises(ZooError, match="Nothing was written"):
        zoo.export(model, path, overwrite=True)
    assert card_file(path).read_bytes() == before


@pytest.mark.once
def test_what_is_refused_before_any_work(fake, model, tmp_path, monkeypatch):
    fake(None)
    monkeypatch.setattr(exporting, "load", lambda name: pytest.fail("the work has begun"))

    def refused(match, path="net.fake", error=ZooError, **options):
        with pytest.raises(error, match=match):
            zoo.export(NAME, tmp_path / path, **options)

    refused("format is needed", "net.what")
    refused("openvin", format="openvin", error=UnknownNameError)
    refused("must end with .xml", format="openvino")
    refused("float17", precision="float17", error=UnknownNameError)
    refused(r"no_such_package: pip install \"zoo\[fake\]\"", precision="int8")
    refused("there is no folder", "no/net.fake")
    (tmp_path / "net.fake").write_text("mine")
    refused("it is no export", overwrite=True)
    assert (tmp_path / "net.fake").read_text() == "mine"
    monkeypatch.setitem(
        RUNTIMES, "fake", dataclasses.replace(RUNTIMES["fake"], backends=("mxnet",))
    )
    refused("Set KERAS_BACKEND=mxnet")
    ready = dataclasses.replace(
        RUNTIMES["fake"], packages={"int8": ()}, backends=exporting_backend()
    )
    monkeypatch.setitem(RUNTIMES, "fake", ready)
    refused("int8 needs pictures", precision="int8")


def exporting_backend():
    return (keras.backend.backend(),)


@pytest.mark.once
def test_models_that_cannot_be_exported(fake, tmp_path):
    fake(None)
    for model, match in [
        (zoo.create("resnet20", width=2), "takes a model with a card"),
        (zoo.load(NAME, input_shape=(None, None, 3)), "a fixed input size"),
        (zoo.load(NAME, features=True), "must have one output"),
    ]:
        with pytest.raises(ZooError, match=match):
            zoo.export(model, tmp_path / "net.fake")
    model = zoo.load(NAME)
    for folder, match in [(tmp_path / "none", "must be a folder"), (tmp_path, "no pictures")]:
        with pytest.raises(ZooError, match=match):
            zoo.export(model, tmp_path / "net.fake", calibrate=folder)
    assert not list(tmp_path.iterdir())


@pytest.mark.once
def test_files_that_are_no_pictures_are_left_out(fake, model, tmp_path, caplog):
    fake(lambda x: np.eye(10)[np.zeros(len(x), int)])
    (tmp_path / "notes.jpg").write_text("words")
    with pytest.raises(ZooError, match=r"no picture that can be read: .*notes.jpg"):
        zoo.export(model, tmp_path / "net.fake", calibrate=tmp_path)
    Image.new("RGB", (9, 9)).save(tmp_path / "black.png")
    card = zoo.export(model, tmp_path / "net.fake", calibrate=tmp_path, force=True)
    assert (card.agreement.pictures, card.agreement.real) == (1, True)
    assert "1 files of" in caplog.text


@pytest.mark.once
def test_files_that_cannot_be_opened(fake, model, tmp_path, monkeypatch):
    def broken(path):
        raise RuntimeError("at line 7:\nmagic number\n")

    with pytest.raises(MissingFileError, match="does not exist"):
        load_exported(tmp_path / "net.fake")
    fake(lambda x: np.eye(10)[np.zeros(len(x), int)])
    path = tmp_path / "net.fake"
    zoo.export(model, path, force=True)
    monkeypatch.setitem(RUNTIMES, "fake", dataclasses.replace(RUNTIMES["fake"], open=broken))
    with pytest.raises(ZooError, match=r"no file that fake can read: magic number$"):
        load_exported(path)
    values = json.loads(card_file(path).read_text())
    card_file(path).write_text(json.dumps(values | {"labels": 3}))
    with pytest.raises(ZooError, match="labels must be"):
        load_exported(path)
    card_file(path).write_text(json.dumps(values))
    monkeypatch.setitem(RUNTIMES, "fake", dataclasses.replace(RUNTIMES["fake"], parts=(".part",)))
    with pytest.raises(MissingFileError, match=r"net.part is missing: it belongs to"):
        load_exported(path)
    card_file(path).unlink()
    with pytest.raises(MissingFileError, match=r"no net.fake.zoo.json beside it"):
        exported.read_card(path)
