"""The figure scripts: their heads, that they repeat exactly, and the gallery of their results; and
a detector on one's own photos."""

import ast
import csv
import importlib
import json
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from examples import detect_objects
from examples.figures import common, crelu_blocks, gallery
from tests.support import photos, small_checkpoint
from training.recipes.crelu_table1_cifar100 import PUBLISHED

pytestmark = pytest.mark.once

FOLDER = Path(__file__).parents[1] / "examples" / "figures"
SCRIPTS = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if "def main(" in path.read_text() and path.stem != "gallery"
)
# Those whose `--quick` takes seconds.
FAST = ["activations_dying", "crelu_coherence", "scaling_propositions"]
# Those that judge a table again, and their figures.
JUDGED = {
    "activations_maxnorm": (
        "activations_above",
        "activations_maximum",
        "activations_mean",
        "activations_responses",
    ),
    "conditioning_curvature": ("conditioning_curvature",),
    "conditioning_last_layer": ("conditioning_last_layer",),
    "conditioning_training": ("conditioning_training",),
    "conditioning_weights": ("conditioning_weights",),
    "gradient_depth": ("gradient_depth",),
    "gradient_image_nets": ("gradient_image_nets",),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_says_what_it_shows_and_how_it_is_run(name):
    head = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))
    title, *rest = head.split("\n\n")
    assert title.endswith(".")
    assert rest[0].partition('"')[0].strip(), "authors and title of the paper"
    assert "figure" in head or "table" in head or "proposition" in head
    assert f"python -m examples.figures.{name}" in head


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_script_draws_random_numbers_without_a_seed(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith(("default_rng", "SeedGenerator", "set_random_seed")):
                assert node.args or node.keywords, f"line {node.lineno}: {called} without a seed"
            legacy = called.startswith(("np.random.", "random."))
            generator = called.startswith("np.random.default_rng")
            assert generator or not legacy, f"line {node.lineno}: {called}"


@pytest.mark.release
@pytest.mark.parametrize("name", FAST)
def test_quick_figures_write_their_files_and_repeat_exactly(name, tmp_path, capsys):
    script = importlib.import_module(f"examples.figures.{name}")
    rows = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)  # what the script must not depend on
        script.main(["--quick", "--to", str(tmp_path / str(seed))])
        entries = gallery.entries(tmp_path / str(seed))
        assert entries
        lines = capsys.readouterr().out.splitlines()
        for figure, about in entries.items():
            assert any(about["verdict"] in line and figure in line for line in lines)
            assert f"python -m examples.figures.{name}" in about["command"]
            assert (tmp_path / str(seed) / f"{figure}.png").stat().st_size < 80_000
        rows.append([cell for figure in entries for cell in cells(tmp_path / str(seed), figure)])
    assert len(rows[0]) > 10
    assert rows[0] == pytest.approx(rows[1], rel=1e-3, nan_ok=True)


@pytest.mark.parametrize("script", JUDGED)
def test_the_verdicts_are_those_of_the_tables(script, tmp_path):
    for name in JUDGED[script]:
        for end in ("csv", "json"):
            shutil.copy(gallery.FOLDER / f"{name}.{end}", tmp_path)
    importlib.import_module(f"examples.figures.{script}").main(["--judge", "--to", str(tmp_path)])
    for name in JUDGED[script]:
        for end in ("csv", "json"):
            again, stored = tmp_path / f"{name}.{end}", gallery.FOLDER / f"{name}.{end}"
            assert again.read_text() == stored.read_text()


def test_epochs_are_those_of_the_runs():
    """What a program read from cards is what the table of the runs and the shipped card say."""

    def column(path):
        with open(path, newline="") as file:
            return [{**row} for row in csv.DictReader(file)]

    results = FOLDER.parents[1] / "results" / "maxnorm_table2_usps.csv"
    runs = {row["row"]: int(row["epochs"]) for row in column(results) if row["epochs"]}
    epochs = {"naive": runs["maxnorm"], "BN": runs["bn"], "initial": 0}
    epochs["proposed"] = zoo.card("maxnorm_mlp100.usps").training.epochs
    table = column(gallery.FOLDER / "conditioning_weights.csv")
    assert {row["net"]: int(row["epochs"]) for row in table} == epochs


@pytest.mark.release
def test_blocks_of_finished_runs(tmp_path):
    """Figure 2 and table 1 of Shang et al. on nets of runs: here one net for all six."""
    args = {"input_shape": [32, 32, 3], "width": 2, "num_classes": 10}
    how = zoo.card("resnet20.cifar10").preprocess
    labels = zoo.card("resnet20.cifar10").labels
    runs = tmp_path / "runs"
    for row in PUBLISHED:
        folder = runs / row
        if folder == runs / "relu_plain":
            net = zoo.create("resnet20", **args)
            small_checkpoint.write(
                folder / "checkpoint", net, "resnet20.toy", args, how, labels, data="cifar10"
            )
            (folder / "run.json").write_text('{"recipe": {}}')
            (folder / "log.json").write_text('[{"cross_entropy": 1.0}]')
            (folder / "metrics.json").write_text("{}")
        else:
            shutil.copytree(runs / "relu_plain", folder)
    crelu_blocks.main(["--quick", "--runs", str(runs), "--to", str(tmp_path)])
    about = json.loads((tmp_path / "crelu_last_activation.json").read_text())
    assert about["seen"] is False  # all six alike, and trained as their logs say
    assert about["command"].endswith("--runs RUNS")
    assert "20 layers after" in about["budget"]
    shutil.rmtree(runs / "crelu_bn")
    with pytest.raises(SystemExit, match="lacks crelu_bn"):
        crelu_blocks.main(["--quick", "--runs", str(runs), "--to", str(tmp_path)])


def judged(name: str, tmp_path, change) -> dict:
    """What a script says of a table that is changed row by row."""
    script = next(script for script, names in JUDGED.items() if name in names)
    for other in JUDGED[script]:
        shutil.copy(gallery.FOLDER / f"{other}.csv", tmp_path)
        shutil.copy(gallery.FOLDER / f"{other}.json", tmp_path)
    with open(tmp_path / f"{name}.csv", newline="") as file:
        rows = [change(row) or row for row in csv.DictReader(file)]
    with open(tmp_path / f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    importlib.import_module(f"examples.figures.{script}").main(["--judge", "--to", str(tmp_path)])
    return json.loads((tmp_path / f"{name}.json").read_text())


def test_stable_is_below_the_threshold_of_the_probe(tmp_path):
    assert gallery.entries()["gradient_image_nets"]["seen"] is False  # ResNet50's grows 32 times

    def flatten(row):
        if row["net"] == "ResNet50":
            row["gradient_norm"] = str(1.04 ** -int(row["index"]))  # 7 times over 50 layers

    assert judged("gradient_image_nets", tmp_path, flatten)["seen"] is True


def test_every_layer_of_the_responses_counts(tmp_path):
    assert gallery.entries()["activations_responses"]["seen"] is False  # BN's layer 50 has 0.797

    def raise_it(row):
        if row["net"] == "BN":
            row["cosine"] = "0.95"

    about = judged("activations_responses", tmp_path, raise_it)
    assert about["seen"] is True
    assert "Above 0.9 in 4 of 4 layers" in about["verdict"]


def test_infinite_comparisons_are_counted(tmp_path):
    about = gallery.entries()["conditioning_curvature"]
    assert "infinite in 8 of 123 comparisons" in about["verdict"]
    assert about["seen"] is False

    def equal(row):
        row["kappa_p_approximate"] = row["kappa_p"]

    assert judged("conditioning_curvature", tmp_path, equal)["seen"] is True


def test_conditions_are_compared_start_by_start_and_of_nets_that_have_learned(tmp_path):
    def learn(row):
        if row["step"] != "0":
            row["loss"] = "0.5"

    # From the random start, BN's output gradients are worse conditioned at step 40.
    about = judged("conditioning_training", tmp_path, learn)
    assert about["seen"] is False
    assert "not judged" not in about["verdict"]

    def idle(row):
        row["loss"] = "2.3"

    about = judged("conditioning_training", tmp_path, idle)
    assert about["seen"] is None
    assert "has learned nothing" in about["verdict"]


def test_an_order_of_single_runs_is_one_of_a_factor_of_two(tmp_path):
    assert gallery.entries()["activations_maximum"]["seen"] is False

    def small(row):
        if row["net"] == "naive":
            row["max"] = "9"

    assert judged("activations_maximum", tmp_path, small)["seen"] is True


def test_budgets_name_all_nets():
    budget = gallery.entries()["conditioning_weights"]["budget"]
    assert budget == "USPS; epochs of training: naive 300, BN 300, proposed 300; theirs 300"


def test_guessing_is_no_learning():
    assert not common.learned(math.log(10))
    assert not common.learned(2.25)
    assert common.learned(2.0)
    assert not common.learned(0.65, classes=2)


def cells(folder, name) -> list[float]:
    """All numbers of a figure's table."""
    with open(folder / f"{name}.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [float(x) for row in rows for x in row if x.replace(".", "").lstrip("-")[:1].isdigit()]


ABOUT = {
    "paper": "Nobody et al., “A Paper”, figure 3",
    "claim": "It grows.",
    "verdict": "It grows by 2.",
    "seen": True,
    "budget": "nothing",
    "command": "python -m examples.figures.growth",
}


def saved(folder, name="growth", **changes):
    figure, places = common.axes(1)
    places[0, 0].plot([1, 2])
    rows = [{"layer": 1, "value": np.float64(1 / 3)}, {"layer": 2, "value": 2}]
    common.save(name, figure, rows, to=folder, **(ABOUT | changes))


def test_a_saved_figure_is_a_picture_a_table_and_a_verdict(tmp_path, capsys):
    saved(tmp_path, seen=np.bool_(True))
    assert capsys.readouterr().out == "growth: seen. It grows by 2.\n"
    assert json.loads((tmp_path / "growth.json").read_text()) == ABOUT
    with open(tmp_path / "growth.csv", newline="") as file:
        assert list(csv.reader(file)) == [["layer", "value"], ["1", "0.33333"], ["2", "2"]]
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_the_gallery_tells_what_is_seen_and_what_is_not(tmp_path):
    saved(tmp_path)
    saved(tmp_path, "other", seen=False, verdict="It shrinks.", paper="A, “B”, table 1")
    saved(tmp_path, "third", seen=None, paper="C, “D”, figure 1")
    page = gallery.page(gallery.entries(tmp_path))
    assert "3 figures; the claims of 1 are seen here." in page
    assert "| [growth](#growth) | Nobody et al., figure 3 | yes |" in page
    assert "| [other](#other) | A, table 1 | no |" in page
    assert "| [third](#third) | C, figure 1 | not judged |" in page
    assert page.index("## A, “B”") < page.index("### other") < page.index("## Nobody et al.")
    for part in ("It shrinks.", "Seen: **no**", "figures/growth.png", "figures/growth.csv"):
        assert part in page


def test_a_figure_without_its_verdict_is_no_part_of_a_gallery(tmp_path):
    saved(tmp_path)
    (tmp_path / "growth.json").write_text(json.dumps({**ABOUT, "more": 1}))
    with pytest.raises(ValueError, match="must have the keys"):
        gallery.entries(tmp_path)
    (tmp_path / "growth.json").unlink()
    with pytest.raises(ValueError, match=r"lacks: json\. Run its script"):
        gallery.entries(tmp_path)


def test_the_page_is_that_of_the_figures():
    assert gallery.main(["--check"]) == 0, "run python -m examples.figures.gallery"


def test_every_figure_is_by_a_script_that_exists():
    for name, about in gallery.entries().items():
        module = about["command"].split("examples.figures.")[1].split()[0]
        assert module in SCRIPTS, name
        assert len((gallery.FOLDER / f"{name}.png").read_bytes()) < 80_000


@pytest.mark.release
def test_a_detector_learns_and_looks_at_photos(tmp_path, capsys):
    photos.write(tmp_path, "train")
    photos.write(tmp_path, "val", side=48)
    options = ["--model", "mask_rcnn_plainnet20", "--steps", "2", "--size", "64"]
    detect_objects.main([str(tmp_path), *options, "--to", str(tmp_path / "objects.png")])
    assert "mask: AP " in capsys.readouterr().out
    with Image.open(tmp_path / "objects.png") as picture:
        assert picture.size == (64, 48)
    (tmp_path / "annotations" / "val.json").unlink()
    with pytest.raises(FileNotFoundError, match="validation"):
        detect_objects.main([str(tmp_path), *options])
