"""Scores against values by hand, the program, and its pictures."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support import small_checkpoint, toy
from training import evaluate
from training.data import Images
from training.tasks.classification import measure
from training.tasks.classification.confusion import draw_confusion, draw_reliability, most_confused
from training.tasks.classification.scores import BINS, ClassificationScores
from training.tasks.classification.ten_crop import ten_crops
from zoo.errors import ZooError
from zoo.preprocessing import Preprocess

HOW = Preprocess((6, 6), 1, 6, "bilinear", 1 / 255, (0.4,), (0.3,))
CUT = Preprocess((8, 8), 3, 10, "bilinear", 1 / 255, (0.5, 0.25, 0.0), (0.5, 0.25, 2.0))


def random_probabilities(n, classes, seed=0):
    logits = np.random.default_rng(seed).normal(0, 2, (n, classes))
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True)


class Fixed:
    """A "model" that knows the probabilities of every picture by its first pixel."""

    def __init__(self, probabilities):
        self.probabilities, self.shapes = probabilities, set()

    def predict_on_batch(self, x):
        self.shapes.add(x.shape)
        first = x.reshape(len(x), -1)[:, 0] * 0.3 + 0.4
        return self.probabilities[np.rint(first * 255).astype(int)]


def numbered(n):
    """n pictures whose pixels hold their number."""
    x = np.tile(np.arange(n, dtype="uint8").reshape(n, 1, 1, 1), (1, 6, 6, 1))
    y = np.random.default_rng(1).integers(0, 7, n)
    return Images(x, y, tuple("abcdefg"))


# ----------------------------------------------------------------------------------------- scores


def test_against_plain_formulas():
    p, y = random_probabilities(200, 12), np.random.default_rng(1).integers(0, 12, 200)
    scores = ClassificationScores(12)
    for start, stop in ((0, 7), (7, 7), (7, 130), (130, 200)):  # batches of any size
        scores.add(p[start:stop], y[start:stop])
    result = scores.result()
    order = np.argsort(-p, axis=1)
    assert scores.n == 200
    assert result["top1"] == np.mean(order[:, 0] == y)
    assert result["top5"] == np.mean(
        [label in row[:5] for label, row in zip(y, order, strict=True)]
    )
    assert result["loss"] == pytest.approx(-np.mean(np.log(p[np.arange(200), y])))
    confidence, right = p.max(axis=1), order[:, 0] == y
    ece = 0
    for b in range(BINS):
        inside = (confidence > b / BINS) & (confidence <= (b + 1) / BINS)
        if inside.any():
            ece += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert result["ece"] == pytest.approx(ece)
    assert scores.confusion.sum() == 200
    assert np.trace(scores.confusion) == round(200 * result["top1"])
    assert scores.confusion[y[0], order[0, 0]] > 0


def test_calibration_of_known_models():
    sure = ClassificationScores(2)
    sure.add(np.tile([1.0, 0.0], (10, 1)), np.array([0] * 6 + [1] * 4))
    assert sure.result()["ece"] == pytest.approx(0.4)  # says 100 %, is right in 60 %
    honest = ClassificationScores(2)
    honest.add(np.tile([0.6, 0.4], (10, 1)), np.array([0] * 6 + [1] * 4))
    assert honest.result()["ece"] == pytest.approx(0, abs=1e-12)


def test_ties_count_against_the_model():
    scores = ClassificationScores(4)
    scores.add(np.full((8, 4), 0.25), np.arange(8) % 4)
    assert scores.result()["top1"] == 0
    assert scores.result()["top5"] == 1


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[0.5, np.nan, 0.5]], [1], "not finite"),
        ([[0.5, 0.5]], [1], r"1 examples of 3 classes .* Received: \(1, 2\)"),
        ([[0.2, 0.3, 0.5]], [1, 2], r"Received: \(1, 3\)"),
    ],
)
def test_what_cannot_be_measured(probabilities, labels, message):
    with pytest.raises(ZooError, match=message):
        ClassificationScores(3).add(np.array(probabilities), np.array(labels))
    with pytest.raises(ZooError, match="no examples"):
        ClassificationScores(3).result()


# --------------------------------------------------------------------------------------- evaluate


@pytest.mark.parametrize("batch_size", [1, 10, 33, 50, None])
def test_uneven_last_batches_are_exact(batch_size):
    images, p = numbered(33), random_probabilities(256, 7)
    whole = ClassificationScores(7)
    whole.add(p[:33], images.y)
    model = Fixed(p)
    assert measure.measure(model, images, HOW, batch_size) == pytest.approx(whole.result())
    assert len(model.shapes) == 1  # every step has one shape, and compiles once


class Decoded:
    """A sequence of pictures of different sizes, as large sets have them."""

    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        if not isinstance(i, int | np.integer):
            raise TypeError("one picture at a time")
        return self.pictures[i]


def photos():
    rng = np.random.default_rng(0)
    sizes = [(20, 31), (31, 20), (8, 8), (9, 50), (13, 13)]
    return [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in sizes]


class Linear:
    def predict_on_batch(self, x):
        weights = np.random.default_rng(3).normal(size=(x[0].size, 3))
        logits = x.reshape(len(x), -1) @ weights
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("batch_size", [2, None])
def test_pictures_of_many_sizes(batch_size):
    images = Images(Decoded(photos()), np.arange(5) % 3, ("a", "b", "c"))
    expected = ClassificationScores(3)
    expected.add(Linear().predict_on_batch(zoo.preprocess(CUT, photos())), images.y)
    measured = measure.measure(Linear(), images, CUT, batch_size)
    assert measured == pytest.approx(expected.result())


@pytest.mark.parametrize("batch_size", [1, 20, None])
def test_ten_crop_averages_probabilities(batch_size):
    images = Images(Decoded(photos()), np.arange(5) % 3, ("a", "b", "c"))
    p = [Linear().predict_on_batch(ten_crops(CUT, image)).mean(axis=0) for image in photos()]
    expected = ClassificationScores(3)
    expected.add(np.stack(p), images.y)
    done = measure.evaluate(Linear(), images, CUT, batch_size, ten_crop=True)
    assert done.scores.result() == pytest.approx(expected.result())
    assert done.model_speed > 0
    assert done.data_speed > 0


def test_the_ten_crops():
    image = photos()[0]  # 20 x 31 -> 10 x 16 (15.5)
    whole = np.asarray(Image.fromarray(image).resize((16, 10), Image.Resampling.BILINEAR))
    whole = (whole / 255 - np.array(CUT.mean)) / np.array(CUT.std)
    crops = ten_crops(CUT, image)
    assert crops.shape == (10, 8, 8, 3)
    corners = [(0, 0), (0, 8), (2, 0), (2, 8), (1, 4)]
    for k, (i, j) in enumerate(corners):
        window = whole[i : i + 8, j : j + 8]
        np.testing.assert_allclose(crops[k], window, atol=1e-5)
        np.testing.assert_allclose(crops[5 + k], window[:, ::-1], atol=1e-5)
    # The centre is the single crop's, up to the rounding of the resizing.
    single = zoo.preprocess(CUT, image)[0]
    np.testing.assert_allclose(crops[4], single, atol=1.01 / 255 / min(CUT.std))


@pytest.mark.parametrize(
    ("how", "x", "message"),
    [
        (HOW, Decoded(photos()), r"resizes the shorter side to 6 pixels and keeps all of it \(6 x"),
        (CUT, np.zeros((4, 8, 8, 3), "uint8"), "pictures that are of the model's size already"),
    ],
)
def test_ten_crops_of_the_same_are_refused(how, x, message):
    with pytest.raises(ZooError, match=message):
        measure.measure(Linear(), Images(x, np.zeros(4, int), ("a",)), how, ten_crop=True)


# --------------------------------------------------------------------------------------- pictures


def test_most_confused_pairs():
    confusion = np.array([[9, 2, 0], [0, 9, 5], [1, 0, 9]])
    assert most_confused(confusion, ("a", "b", "c")) == [
        ("b", "c", 5),
        ("a", "b", 2),
        ("c", "a", 1),
    ]
    assert most_confused(confusion, ("a", "b", "c"), 1) == [("b", "c", 5)]
    assert most_confused(np.eye(3, dtype=int), ("a", "b", "c")) == []


@pytest.mark.parametrize("classes", [1, 10, 100, 1000])
def test_pictures_of_any_number_of_classes(classes, tmp_path):
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 3, (classes, classes)) + 90 * np.eye(classes, dtype=int)
    labels = [f"$class_{i}" for i in range(classes)]  # no formula
    draw_confusion(confusion, labels, tmp_path / "c.png", "net: 90 %")
    with Image.open(tmp_path / "c.png") as image:
        assert min(image.size) >= 400
        assert max(image.size) < 2000
        assert len(image.convert("L").getcolors(256)) > 5
    bins = np.zeros((BINS, 3))
    bins[-1] = classes, classes * 0.99, classes * 0.9
    draw_reliability(bins, tmp_path / "r.png", "net")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


# ---------------------------------------------------------------------------------------- program


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    args = {"input_shape": [6, 6, 1], "num_classes": 3, "units": 4}
    labels = ("top", "left", "neither")
    model = zoo.create("maxnorm_mlp3", **args)
    how = toy.RECIPE.preprocess
    small_checkpoint.write(folder, model, "maxnorm_mlp3.toy", args, how, labels, data="toy")
    return str(folder)


def test_program_with_pictures(checkpoint, toy_data, capsys, tmp_path):
    assert evaluate.main([checkpoint, "--pictures", str(tmp_path / "pictures")]) == 1
    told = capsys.readouterr()
    assert "maxnorm_mlp3.toy on toy/test, 33 images" in told.out
    assert "card: 99.0" in told.out
    assert "card: not stated" in told.out
    assert "images per second:" in told.out
    assert "The card differs in: loss" in told.err
    names = sorted(p.name for p in (tmp_path / "pictures").iterdir())
    assert names == ["confused.tsv", "confusion.png", "reliability.png"]
    head, first, *_ = (tmp_path / "pictures" / "confused.tsv").read_text().splitlines()
    assert head == "examples\tright\tpredicted"
    count, right, predicted = first.split("\t")
    assert int(count) > 0
    assert right != predicted
    assert {right, predicted} <= {"top", "left", "neither"}


def test_program_for_programs(checkpoint, toy_data, capsys):
    assert evaluate.main([checkpoint, "--json", "--batch-size", "10", "--split", "train"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["card"]) == (90, {})
    model = zoo.load(checkpoint)
    expected = measure.measure(model, toy.images("train"), model.zoo_card.preprocess)
    assert {k: told[k] for k in expected} == pytest.approx(expected, rel=1e-4)
    assert set(told["images_per_second"]) == {"model", "data"}


def test_program_refuses_ten_crops_of_small_pictures(checkpoint, toy_data, capsys):
    assert evaluate.main([checkpoint, "--ten-crop"]) == 2
    assert "Ten crops need pictures larger" in capsys.readouterr().err


def test_a_figure_that_is_not_measured_differs():
    measured = {"top1": 0.9, "ece": 0.01}
    assert measure.differing(measured, {"top1": 0.9005}) == []
    assert measure.differing(measured, {"top1": 0.902, "ece": 0.01, "f1": 0.5}) == ["top1", "f1"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["a.b", "--all"], ["--all", "--json"], ["a.b", "--batch-size", "0"]],
)
def test_mistakes_on_the_command_line(arguments, capsys):
    with pytest.raises(SystemExit):
        evaluate.main(arguments)
    assert "error:" in capsys.readouterr().err


def test_unknown_checkpoint(capsys):
    assert evaluate.main(["maxnorm_mlp100.upsp"]) == 2
    assert "Did you mean 'maxnorm_mlp100.usps'" in capsys.readouterr().err


def test_scores_of_a_real_model():
    images = numbered(20)
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(7, "softmax")]
    )
    measured = measure.measure(model, images, HOW, 8)
    loss = keras.losses.SparseCategoricalCrossentropy()
    p = model.predict_on_batch(zoo.preprocess(HOW, images.x))
    assert measured["loss"] == pytest.approx(float(loss(images.y, p)), rel=1e-4)
    assert set(measured) == {"top1", "top5", "loss", "ece"}
