"""From a checkpoint and a folder of photos to a checkpoint for them."""

import csv
import dataclasses
import json
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tests.support import children, photo_folder
from tests.support.checkpoints import make_checkpoint
from tests.support.helpers import run_python
from zoo.errors import ZooError
from zoo.hub.upload import prepare_upload
from zoo.preprocessing import Preprocess
from zoo.tuning import loop, out_folder, training
from zoo.tuning.settings import Settings
from zoo.tuning.tune import _name

OPTIONS = {"epochs": 3, "batch_size": 8, "verbose": False}


ARGS = {"input_shape": [8, 8, 3], "units": 20, "num_classes": 3}
HOW = Preprocess((8, 8), 3, 8, "bilinear", 1 / 255, (0.5,) * 3, (0.25,) * 3)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Of a small net with BatchNormalization and max-norm."""
    folder = tmp_path_factory.mktemp("weights") / "maxnorm_mlp3.toy"
    make_checkpoint(folder, args=ARGS, preprocess=HOW, terms="no trade")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder.write(tmp_path_factory.mktemp("data") / "Shapes of mine", count=10)


@pytest.fixture(scope="module")
def tuned(checkpoint, photos, tmp_path_factory):
    """An unbroken training."""
    return zoo.finetune(checkpoint, photos, tmp_path_factory.mktemp("out") / "shapes", **OPTIONS)


def test_result(tuned):
    assert tuned.classes == photo_folder.SHAPES
    assert (tuned.training_pictures, tuned.validation_pictures) == (24, 6)
    assert tuned.epochs == 3
    assert sum(count for *_, count in tuned.confused) == round((1 - tuned.accuracy) * 6)
    text = str(tuned)
    assert f"{tuned.accuracy:.1%} of 6 validation pictures right" in text
    assert f"zoo predict {tuned.folder} photo.jpg" in text


def test_card(tuned, checkpoint, photos):
    card, origin = zoo.card(tuned.folder), zoo.card(checkpoint)
    assert card.name == "maxnorm_mlp3.shapes"
    assert card.labels == photo_folder.SHAPES
    assert card.training.origin == zoo.checkpoint.Origin.of(origin)
    assert (card.license, card.terms) == (origin.license, "no trade")
    assert card.training.data == "Shapes of mine (24 pictures of 3 classes)"
    assert card.metrics[0].dataset == "Shapes of mine"
    assert len(card.training.curve) == 3
    top1, loss = card.metrics
    assert (top1.name, top1.value, top1.n) == ("top1", tuned.accuracy, 6)
    assert (loss.name, loss.value) == ("loss", tuned.loss)
    assert top1.command.startswith("zoo finetune ")
    assert "--epochs 3 --batch-size 8" in top1.command


def test_names(photos, monkeypatch):
    """After the folder, and none that a checkpoint of the zoo has."""
    card = zoo.card("resnet20")
    assert _name(card, Path("Fotos/Tulpen & Rosen!")) == "resnet20.tulpen_rosen"
    assert _name(card, Path("resnet20.mine")) == "resnet20.mine"
    assert _name(card, Path("data/cifar10")) == "resnet20.cifar10_tuned"
    assert _name(card, Path("写真")) == "resnet20.tuned"


def test_can_be_published(tuned, tmp_path):
    upload = prepare_upload(tuned.folder, tmp_path, "hf://org/shapes", {})
    assert upload.card.metrics == zoo.card(tuned.folder).metrics
    assert upload.card.labels == photo_folder.SHAPES


def test_the_card_says_what_prediction_gives(tuned, photos):
    with open(Path(tuned.folder) / "validation.csv") as file:
        rows = list(csv.DictReader(file))
    model = zoo.load(tuned.folder)
    predicted = zoo.predict(model, [photos / row["file"] for row in rows], top=1)
    for row, [(label, probability)] in zip(rows, predicted, strict=True):
        assert row["predicted"] == label
        # Written with four digits; batches of another size round otherwise.
        assert float(row["probability"]) == pytest.approx(probability, abs=2e-4)
    right = [row["class"] == row["predicted"] for row in rows]
    assert np.mean(right) == tuned.accuracy


def test_files(tuned):
    folder = Path(tuned.folder)
    names = "README.md confusion.csv confusion.png curve.csv finetune.json model.safetensors"
    assert sorted(p.name for p in folder.iterdir()) == [
        *names.split(),
        "validation.csv",
        "zoo.json",
    ]
    with open(folder / "confusion.csv") as file:
        matrix = np.array([row[1:] for row in list(csv.reader(file))[1:]], int)
    assert np.trace(matrix) / matrix.sum() == tuned.accuracy
    with open(folder / "curve.csv") as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == list("0123")
    assert float(history[0]["validation_accuracy"]) == tuned.probe_accuracy
    # The best epoch's weights are kept; the linear probe is among the candidates.
    assert max(float(row["validation_accuracy"]) for row in history) == tuned.accuracy


def test_finished_is_not_done_again(tuned, checkpoint, photos, monkeypatch):
    monkeypatch.setattr("zoo.tuning.tune.read_pictures", None)
    assert zoo.finetune(checkpoint, photos, tuned.folder, **OPTIONS) == tuned
    with pytest.raises(ZooError, match="a finished checkpoint of other settings: epochs was 3 and"):
        zoo.finetune(checkpoint, photos, tuned.folder, **OPTIONS | {"epochs": 4})


def test_two_do_not_work_in_one_folder(checkpoint, photos, tmp_path):
    out = tmp_path / "shapes"
    (out / "tuning").mkdir(parents=True)
    with out_folder.alone(out / "tuning"), pytest.raises(ZooError, match=r"at work in .*shapes"):
        zoo.finetune(checkpoint, photos, out, **OPTIONS)


@pytest.mark.parametrize(
    "moment",
    [
        "epoch 2",
        pytest.param("reading", marks=pytest.mark.release),
        pytest.param("finish", marks=pytest.mark.release),
    ],
)
def test_killed_and_resumed_equals_unbroken(tuned, checkpoint, photos, tmp_path, moment):
    out = tmp_path / "shapes"
    child = children.Child({}, killed_in, moment, checkpoint, photos, out)
    assert child.wait() is None
    assert child.process.wait() == -signal.SIGKILL
    resumed = zoo.finetune(checkpoint, photos, out, **OPTIONS)
    for name in ("model.safetensors", "confusion.csv", "validation.csv"):
        assert (out / name).read_bytes() == (Path(tuned.folder) / name).read_bytes()
    assert losses(out) == losses(tuned.folder)  # of all epochs, to the last bit
    assert dataclasses.replace(resumed, folder="", seconds=0) == dataclasses.replace(
        tuned, folder="", seconds=0
    )
    assert not (out / "tuning").exists()


def losses(folder):
    with open(Path(folder) / "curve.csv") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def killed_in(moment, checkpoint, photos, out):
    """Ends this process by SIGKILL, as a power cut would, at that moment of a training."""
    import os

    from zoo import files
    from zoo.tuning import finish, pictures

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "reading":
        pictures._fill = die
    elif moment == "finish":
        finish.write_card = die
    else:
        save = loop.save_progress

        def save_or_die(place, model, progress):
            if len(progress.history) == 3:  # in the middle of writing the second epoch
                files.os.replace = die
            save(place, model, progress)

        loop.save_progress = save_or_die
    keras.config.disable_interactive_logging()
    zoo.finetune(checkpoint, photos, out, **OPTIONS)


def test_other_photos_or_settings_are_refused(checkpoint, tmp_path, monkeypatch):
    photos = photo_folder.write(tmp_path / "photos", count=3)
    out = tmp_path / "out"
    monkeypatch.setattr("zoo.tuning.tune.read_pictures", stop)
    with pytest.raises(InterruptedError):
        zoo.finetune(checkpoint, photos, out, **OPTIONS)
    with pytest.raises(InterruptedError):  # the same goes on
        zoo.finetune(checkpoint, photos, out, **OPTIONS)
    with pytest.raises(ZooError, match=r"an unfinished training .*: seed was 0 and is 1\. Give"):
        zoo.finetune(checkpoint, photos, out, seed=1, **OPTIONS)
    (photos / "bar" / "0.png").rename(photos / "bar" / "new.png")
    (photos / "bar" / "1.png").touch()
    found = r"added \(bar/new.png\); photos were removed \(bar/0.png\); photos were changed \(bar/1"
    with pytest.raises(ZooError, match=found):
        zoo.finetune(checkpoint, photos, out, **OPTIONS)


def stop(*_):
    raise InterruptedError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs must be an integer of at least 0"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"learning_rate": 0}, "learning_rate must be a positive number"),
        ({"validation": 1}, "validation must be a share between 0 and 1"),
        ({"freeze": "head"}, "freeze must be one of 'body', 'batch_norm', None"),
        ({"dtype": "float8"}, "Unknown dtype: 'float8'"),
        ({"input_shape": (9, 9, 3)}, r"maxnorm_mlp3.toy is for input_shape=\(8, 8, 3\) alone"),
    ],
)
@pytest.mark.once
def test_arguments(checkpoint, photos, tmp_path, options, message):
    with pytest.raises(ZooError, match=message):
        zoo.finetune(checkpoint, photos, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.once
def test_places(checkpoint, photos, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out, message in (
        (photos / "out", "lies in the folder of the photos"),
        (tmp_path / "file", "is a file"),
        (tmp_path, "holds other files"),
    ):
        with pytest.raises(ZooError, match=message):
            zoo.finetune(checkpoint, photos, out)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.once
def test_no_classifier(photos, monkeypatch):
    card = dataclasses.replace(zoo.card("resnet20"), architecture="mask_rcnn_resnet50")
    monkeypatch.setattr("zoo.tuning.tune.index.card", lambda name: card)
    with pytest.raises(ZooError, match=r"is for detection, and zoo\.finetune trains classifiers"):
        zoo.finetune("detector", photos)
    headless = dataclasses.replace(zoo.card("resnet20"), head=())
    monkeypatch.setattr("zoo.tuning.tune.index.card", lambda name: headless)
    with pytest.raises(ZooError, match="has no head"):
        zoo.finetune("body", photos)


def statistics(model):
    return {v.path: np.array(v.numpy()) for v in model.weights if "/moving_" in v.path}


@pytest.mark.parametrize("freeze", ["batch_norm", None])
def test_frozen_statistics(checkpoint, photos, tmp_path, freeze):
    """They are bit-equal where they are frozen, all other where they are not."""
    options = OPTIONS | {"epochs": 1, "freeze": freeze, "learning_rate": 1e-6}
    kept = []
    save = loop.save_progress
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "save_progress", lambda *a: (kept.append(statistics(a[1])), save(*a)))
        zoo.finetune(checkpoint, photos, tmp_path / "out", **options)
    for path, before in statistics(zoo.load(checkpoint)).items():
        assert np.array_equal(kept[-1][path], before) == (freeze == "batch_norm"), path


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(checkpoint, photos, tmp_path, dtype):
    """In training alone: the checkpoint is float32, and measured so."""
    options = OPTIONS | {"epochs": 1, "dtype": dtype}
    tuned = zoo.finetune(checkpoint, photos, tmp_path / "out", **options)
    assert keras.config.dtype_policy().name == "float32"
    assert zoo.card(tuned.folder).dtype == "float32"
    with open(Path(tuned.folder) / "curve.csv") as file:
        assert all(np.isfinite(float(row["loss"])) for row in csv.DictReader(file))


def test_linear_probe_alone(checkpoint, photos, tmp_path):
    """The body is the checkpoint's, bit for bit."""
    out = tmp_path / "out"
    tuned = zoo.finetune(checkpoint, photos, out, freeze="body", verbose=False)
    assert (tuned.epochs, tuned.best_epoch) == (0, 0)
    before, after = (
        {v.path: v.numpy() for v in zoo.load(folder).weights} for folder in (checkpoint, out)
    )
    assert {p for p in before if not np.array_equal(before[p], after[p])} == {
        "head_dense/kernel",
        "head_dense/bias",
    }


def test_regularizers_are_live(tmp_path):
    checkpoint = tmp_path / "plainnet20.toy"
    make_checkpoint(checkpoint, "plainnet20")
    model = training.load(checkpoint, Settings(str(checkpoint)), classes=2)
    loop.compile_model(model, "head_dense", learning_rate=0.1, epochs=2, steps=3)
    assert len(model.losses) > 10  # a term per convolution
    rates = {v.path: model.optimizer._factor(v.path) for v in model.trainable_variables}
    assert {path: rate for path, rate in rates.items() if rate == 1} == {
        "head_dense/kernel": 1.0,
        "head_dense/bias": 1.0,
    }


def test_early_end_keeps_the_best(checkpoint, photos, tmp_path, monkeypatch):
    """Training that only gets worse ends after the patience, with the linear probe's weights."""
    monkeypatch.setattr(Settings, "patience", lambda self, epochs: 2)
    worse = iter(np.linspace(0.5, 0.1, 20))
    monkeypatch.setattr(training.figures, "loss_and_accuracy", lambda *_: (1.0, next(worse)))
    monkeypatch.setattr("zoo.tuning.tune.finish", lambda *args: args[4])
    progress = zoo.finetune(
        checkpoint, photos, tmp_path / "out", epochs=9, batch_size=8, verbose=False
    )
    assert [row["epoch"] for row in progress.history] == [0, 1, 2]
    assert progress.best_row["epoch"] == 0
    body = {v.path: v.numpy() for v in zoo.load(checkpoint).weights if "head" not in v.path}
    for path, value in body.items():
        np.testing.assert_array_equal(progress.best[path], value)


@pytest.mark.release
def test_without_tensorflow(checkpoint, photos, tmp_path):
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow is the backend")
    code = f"""
import sys
sys.modules["tensorflow"] = None
import zoo
print(zoo.finetune({str(checkpoint)!r}, {str(photos)!r}, {str(tmp_path / "out")!r}, epochs=1))
"""
    result = run_python(code)
    assert "validation pictures right" in result.stdout, result.stderr


@pytest.mark.once
def test_settings_by_default():
    assert [Settings("x").epochs_for(n) for n in (20, 4000, 10**5)] == [40, 10, 5]
    assert Settings("x", freeze="body").epochs_for(20) == 0
    command = Settings("a b", flip=False, input_shape=(9, 9, 3)).command("p", "o")
    assert command == "zoo finetune 'a b' p --out o --input-shape 9,9,3 --no-flip"


@pytest.mark.once
def test_grey_digits(tmp_path):
    """A max-norm MLP for grey pictures learns what is drawn in colour."""
    folder = tmp_path / "maxnorm_mlp3.toy"
    make_checkpoint(folder)
    photos = photo_folder.write(tmp_path / "photos", count=5, classes=("bar", "disc"))
    tuned = zoo.finetune(folder, photos, tmp_path / "out", epochs=1, flip=False, verbose=False)
    assert zoo.load(tuned.folder).input_shape == (None, 4, 4, 1)
    assert json.loads((tmp_path / "out" / "finetune.json").read_text())["result"]["epochs"] == 1


@pytest.mark.once
def test_more_pixels(photos, tmp_path):
    """Of a convolutional net, with the card's preprocessing for that size."""
    checkpoint = tmp_path / "plainnet20.toy"
    make_checkpoint(checkpoint, "plainnet20")
    tuned = zoo.finetune(
        checkpoint, photos, tmp_path / "out", input_shape=(12, 12, 3), epochs=0, verbose=False
    )
    assert zoo.load(tuned.folder).input_shape == (None, 12, 12, 3)
    assert zoo.card(tuned.folder).preprocess.size == (12, 12)
    assert tuned.probe_accuracy == tuned.accuracy


@pytest.mark.once
@pytest.mark.release
def test_pretrained_beats_scratch(tmp_path):
    """A shipped checkpoint on 3 classes of 20 pictures against the same net with fresh weights;
    and the folder is known to a fresh process."""
    photos = photo_folder.write(tmp_path / "photos", count=20, side=32)
    fresh = zoo.create("resnet20", **zoo.card("resnet20").args)
    zoo.checkpoint.save_checkpoint(fresh, tmp_path / "fresh", zoo.card("resnet20"))
    options = {"epochs": 2, "batch_size": 24, "verbose": False}
    ours, scratch = (
        zoo.finetune(source, photos, tmp_path / name, validation=0.5, **options)
        for source, name in (("resnet20", "ours"), (tmp_path / "fresh", "scratch"))
    )
    assert ours.accuracy >= scratch.accuracy + 0.1
    answers = children.call({}, children.cli, "predict", ours.folder, str(photos / "bar" / "0.png"))
    code, text = answers.value
    assert code == 0
    assert set(photo_folder.SHAPES) <= set(text.split())
