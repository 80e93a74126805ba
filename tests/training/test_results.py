"""The programs that write tables and figures, on small runs made here."""

import csv
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

import zoo
from tests.support import small_checkpoint, toy
from training import recipe as recipes
from training.recipes.maxnorm_table2_usps import ROWS
from training.results import checkpoints, coco_overfit, plainnet_figure2
from training.results.rows import main as compare
from training.results.rows import write as write_rows
from training.results.runs import read_run
from zoo.checkpoint import Origin
from zoo.errors import ZooError
from zoo.preprocessing import CIFAR

pytestmark = pytest.mark.once


def fake_run(folder, name, *, top1=0.9, moving=0.8, seed=0, epochs=3):
    """The files of a finished run but its checkpoint."""
    folder.mkdir(parents=True)
    recipe = {"seed": seed, "epochs": epochs, "batch_size": 128, "learning_rate": 0.01}
    about = {"name": name, "recipe": recipe, "settings": [f"seed={seed}"] if seed else []}
    about |= {"commit": "abc", "backend": "tensorflow", "device": "2 CPU cores"}
    history = [
        {"epoch": e + 1, "accuracy": 0.5, "seconds": 60.0} | ({"test_accuracy": 0.4} if e else {})
        for e in range(epochs)
    ]
    metrics = {"test": {"top1": top1}, "train": {"top1": 0.99}}
    if moving is not None:
        metrics["test, moving averages"] = {"top1": moving}
    for file, content in (("run", about), ("log", history), ("metrics", metrics)):
        (folder / f"{file}.json").write_text(json.dumps(content))


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------------------------------- table II


def table2_runs(runs):
    home = runs / "maxnorm_table2_usps"
    fake_run(home / "bn_lrelu_maxnorm", "maxnorm_table2_usps/bn_lrelu_maxnorm", top1=0.94)
    fake_run(
        home / "bn_lrelu_maxnorm_seed1",
        "maxnorm_table2_usps/bn_lrelu_maxnorm",
        top1=0.92,
        seed=1,
    )
    fake_run(home / "lrelu", "maxnorm_table2_usps/lrelu", top1=0.1, moving=None)
    for row in ("maxnorm", "bn"):  # the one diverged, the other is not finished
        fake_run(home / row, f"maxnorm_table2_usps/{row}")
        (home / row / "metrics.json").unlink()
    (home / "maxnorm" / "diverged.json").write_text('{"what": "the loss is nan after step 7"}')
    return home


def test_table2(tmp_path, capsys):
    table2_runs(tmp_path / "runs")
    to = tmp_path / "results"
    assert compare(["maxnorm_table2_usps", str(tmp_path / "runs"), "--to", str(to)]) == 1
    missing = ["bn", "bn_lrelu", "bn_maxnorm", "lrelu_maxnorm"]
    assert f"Missing: {', '.join(missing)}" in capsys.readouterr().err
    rows = read_csv(to / "maxnorm_table2_usps.csv")
    assert [row["row"] for row in rows] == [*ROWS, "bn_lrelu_maxnorm"]
    by_row = {(row["row"], row["seed"]): row for row in rows}
    ours = by_row["bn_lrelu_maxnorm", "1"]
    assert (ours["test_error"], ours["test_error_moving_averages"]) == ("8.0", "20.0")
    assert ours["train_error"] == "1.0"
    assert ours["published"] == "0.11% train error, 5.48% test error (table II)"
    assert ours["command"] == "python -m training.train maxnorm_table2_usps/bn_lrelu_maxnorm seed=1"
    assert (ours["minutes"], ours["epochs"]) == ("3.0", "3")
    assert by_row["lrelu", "0"]["test_error_moving_averages"] == ""
    # What was not measured is empty, never filled in.
    assert by_row["bn", ""]["state"] == "missing"
    assert by_row["bn", ""]["test_error"] == ""
    assert by_row["maxnorm", "0"]["test_error"] == ""
    assert by_row["maxnorm", "0"]["state"] == "diverged: the loss is nan after step 7"
    page = (to / "maxnorm_table2_usps.md").read_text()
    assert "| bn | missing | – | – | 84.56% train error, 83.21% test error (table II) |" in page
    published = "0.11% train error, 5.48% test error (table II)"
    assert f"| bn_lrelu_maxnorm | 1.00 | 6.00 | 20.00 | {published} | 0.01 | 0 | 3 | 3.0 |" in page
    assert page.startswith("# What holds 100 dense layers on USPS: batch norm, leaky ReLU")
    assert 'Paper: Oyedotun et al., "Revisiting the Training' in page
    assert (
        "300 epochs. Here: 0.01 falling to 0 by a cosine for every row, the rest as there.\n"
        in page
    )
    assert "2 seeds: median 7.00%, mean 7.00 ± 1.41% test error" in page
    assert (to / "maxnorm_table2_usps.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_tables_have_stays_where_the_run_folder_is_gone(tmp_path):
    home, to = table2_runs(tmp_path / "runs"), tmp_path / "results"
    write_rows("maxnorm_table2_usps", tmp_path / "runs", to)
    before = {path.name: path.read_bytes() for path in to.iterdir()}
    curves = read_csv(to / "maxnorm_table2_usps_curves.csv")
    assert len(curves) == 3 * 3
    assert [c["train_error"] for c in curves[:3]] == ["50.0"] * 3
    assert [c["test_error"] for c in curves[:3]] == ["", "60.0", "60.0"]

    shutil.rmtree(home)
    write_rows("maxnorm_table2_usps", tmp_path / "runs", to)
    assert before == {path.name: path.read_bytes() for path in to.iterdir()}

    # A run that was made again takes the place of its line, one of another row its own.
    fake_run(home / "lrelu", "maxnorm_table2_usps/lrelu", top1=0.2, epochs=2)
    fake_run(home / "bn", "maxnorm_table2_usps/bn", top1=0.3)
    assert "bn" not in write_rows("maxnorm_table2_usps", tmp_path / "runs", to)
    errors = [(r["row"], r["test_error"]) for r in read_csv(to / "maxnorm_table2_usps.csv")]
    assert sorted(e for e in errors if e[1]) == [
        ("bn", "70.0"),
        ("bn_lrelu_maxnorm", "6.0"),
        ("bn_lrelu_maxnorm", "8.0"),
        ("lrelu", "80.0"),
    ]
    curves = read_csv(to / "maxnorm_table2_usps_curves.csv")
    assert sum(c["row"] == "lrelu" for c in curves) == 2


def test_table2_of_nothing_or_of_something_else(tmp_path, capsys):
    assert compare(["maxnorm_table2_usps", str(tmp_path), "--to", str(tmp_path)]) == 2
    assert "maxnorm_table2_usps holds no finished run" in capsys.readouterr().err
    assert compare(["maxnorm_mlp100_usps", str(tmp_path), "--to", str(tmp_path)]) == 2
    assert "holds no rows of recipes. Those that do: conditioning_" in capsys.readouterr().err
    fake_run(tmp_path / "maxnorm_table2_usps" / "bn", "maxnorm_mlp100_usps")
    with pytest.raises(ZooError, match=r"bn is a run of maxnorm_mlp100_usps, of no row of"):
        write_rows("maxnorm_table2_usps", tmp_path, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_damaged_run_is_named(tmp_path):
    fake_run(tmp_path / "run", "x")
    (tmp_path / "run" / "log.json").write_text("[")
    with pytest.raises(ZooError, match=r"log\.json cannot be read"):
        read_run(tmp_path / "run")


# ---------------------------------------------------------------------------------------- figure 2


def plainnet_run(runs, name, alike):
    fake_run(runs / name, name, top1=0.9 if alike < 0.1 else 0.8)
    args = {"input_shape": [8, 8, 3], "num_classes": 3, "width": 2}
    model = zoo.create("plainnet20", **args)
    for layer in model._flatten_layers():
        if hasattr(layer, "filters"):
            kernel = zoo.initializers.Orthonormal(seed=0)(layer.kernel.shape)
            layer.kernel.assign(kernel + alike)  # a common part correlates the filters
    how = dataclasses.replace(CIFAR, size=(8, 8), resize=8)
    small_checkpoint.write(
        runs / name / "checkpoint", model, "plainnet20.test", args, how, ("a", "b", "c")
    )


def test_figure2(tmp_path, capsys):
    runs, to = tmp_path / "runs", tmp_path / "results"
    plainnet_run(runs, "plainnet44_cifar10", 0.02)
    assert plainnet_figure2.main([str(runs), "--to", str(to)]) == 2
    assert "Missing: " + str(runs / "plainnet44_cifar10_l2") in capsys.readouterr().err
    assert not to.exists()
    plainnet_run(runs, "plainnet44_cifar10_l2", 0.5)
    assert plainnet_figure2.main([str(runs), "--to", str(to)]) == 0
    rows = read_csv(to / "plainnet_figure2.csv")
    by = {(row["run"], row["layer"]): row for row in rows}
    assert len(by) == 2 * (19 + 1)
    ours, theirs = (float(by[run, "all"]["correlation"]) for run in plainnet_figure2.METHODS)
    assert 0 < ours < theirs < 1
    stem = by["plainnet44_cifar10", "stem_conv"]
    assert (stem["filters"], stem["pairs"]) == ("2", "1")
    # Pooled over pairs: layers of more filters weigh more.
    of_run = [r for r in rows if r["run"] == "plainnet44_cifar10" and r["layer"] != "all"]
    pooled = np.average(
        [float(r["correlation"]) for r in of_run], weights=[int(r["pairs"]) for r in of_run]
    )
    assert ours == pytest.approx(pooled, rel=1e-2)
    page = (to / "plainnet_figure2.md").read_text()
    assert "| orthonormality | 88.42 | 90.00 | 80.00 | about 6e-3 |" in page
    (ratio,) = re.findall(r"second to first: ([\d.]+) ", page)
    assert float(ratio) == pytest.approx(theirs / ours, rel=1e-2)
    assert (to / "plainnet_figure2.png").read_bytes().startswith(b"\x89PNG")


def test_figure2_of_different_budgets(tmp_path):
    fake_run(tmp_path / "plainnet44_cifar10", "plainnet44_cifar10")
    fake_run(tmp_path / "plainnet44_cifar10_l2", "plainnet44_cifar10_l2", epochs=4)
    with pytest.raises(ZooError, match=r"differ in \(epochs, batch_size\): \[\(3, 128\), \(4, 128"):
        plainnet_figure2.write(tmp_path, tmp_path / "results")


# -------------------------------------------------------------------------------- all checkpoints


def test_photos_learned_by_heart(tmp_path, capsys):
    run, to = tmp_path / "run", tmp_path / "results"
    to.mkdir()
    run.mkdir()
    assert coco_overfit.main([str(run), "--to", str(to)]) == 2
    assert "no finished run" in capsys.readouterr().err
    recipe = dataclasses.asdict(recipes.find("coco_overfit"))
    about = {"name": "coco_overfit", "recipe": recipe, "settings": [], "commit": "c0ffee"}
    about |= {"device": "a toaster", "backend": "jax"}
    history = [
        {"epoch": 1, "seconds": 60, "box_loss": 0.5, "mask_loss": 0.7},
        {"epoch": 2, "seconds": 120, "box_loss": 0.1, "test_box_AP50": 0.25},
    ]
    metrics = {"box": {"AP": 0.1234, "AP50": 0.25, "AP75": 0.0}}
    for name, content in (("run", about), ("log", history), ("metrics", metrics)):
        (run / f"{name}.json").write_text(json.dumps(content))
    assert coco_overfit.main([str(run), "--to", str(to)]) == 0
    page = (to / "coco_overfit.md").read_text()
    assert "| box | 0.123 | 0.250 | 0.000 |" in page
    assert "3 minutes on a toaster, jax, commit c0ffee" in page
    assert [row["box_loss"] for row in read_csv(to / "coco_overfit.csv")] == ["0.5", "0.1"]
    assert (to / "coco_overfit.png").read_bytes().startswith(b"\x89PNG")


def test_table_of_all_checkpoints(tmp_path, monkeypatch):
    args = {"input_shape": [6, 6, 1], "num_classes": 3, "units": 4}
    model = zoo.create("maxnorm_mlp3", **args)
    small_checkpoint.write(
        tmp_path / "weights", model, "maxnorm_mlp3.toy", args, toy.RECIPE.preprocess,
        ("top", "left", "neither"), data="toy", recipe="toy", settings=("seed=3",), seed=3,
        epochs=34, wall_time=5400.0, origin=Origin("maxnorm_mlp3.first", 1, "toy", 28, 1800.0),
    )  # fmt: skip
    load = zoo.load
    monkeypatch.setattr("training.data.read", lambda name, split, *_, **__: toy.images(split))
    monkeypatch.setattr(zoo, "list_weights", lambda: ["maxnorm_mlp3.toy"])
    monkeypatch.setattr(zoo, "load", lambda name, **kw: load(str(tmp_path / "weights"), **kw))
    results, page = tmp_path / "results", tmp_path / "docs" / "results.md"
    table2_runs(tmp_path / "runs")
    write_rows("maxnorm_table2_usps", tmp_path / "runs", results)
    differs = checkpoints.write("", results=results, page=page)
    assert differs == ["maxnorm_mlp3.toy: loss"]
    (row,) = read_csv(results / "results.csv")
    assert tuple(row) == checkpoints.COLUMNS
    assert (row["recipe"], row["seed"]) == ("toy seed=3", "3")
    assert (row["epochs"], row["hours"]) == ("28 + 34", "2.0")
    assert int(row["operations"]) == 36 * 4 + 4 * 4 + 4 * 4 + 4 * 3
    assert int(row["parameters"]) == model.count_params()
    assert int(row["images_per_second"]) > 0
    text = page.read_text()
    assert "| `maxnorm_mlp3.toy` |" in text
    assert "| 28 + 34 epochs, seed 3, 2.0 h, " in text
    assert "(../results/maxnorm_table2_usps.md)" in text
    assert "(../results/results.png)" in text
    assert (results / "results.png").read_bytes().startswith(b"\x89PNG")


def test_results_of_the_repository_are_of_its_checkpoints():
    """To renew them: python -m training.evaluate --all --data-dir DATA."""
    rows = {row["checkpoint"]: row for row in read_csv(checkpoints.RESULTS / "results.csv")}
    assert sorted(rows) == sorted(zoo.list_weights())
    for name, row in rows.items():
        stated = {m.name: m.value for m in zoo.card(name).metrics if m.split == "test"}
        assert float(row["top1"]) == pytest.approx(stated["top1"], abs=1e-3)
        assert int(row["parameters"]) == zoo.card(name).params
