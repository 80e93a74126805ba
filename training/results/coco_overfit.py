"""Eight photos learned by heart, as a page: `python -m training.results.coco_overfit RUN`.

Reads the run folder of the recipe `coco_overfit`; writes coco_overfit.csv (its log), .md and .png.
"""

import csv
import sys
from pathlib import Path

from training.results.runs import Run, program, read_run
from zoo.errors import ZooError

NAME = "coco_overfit"
FIGURES = ("AP", "AP50", "AP75")
HEAD = """# Mask R-CNN learns eight photos by heart

What shows that the detector's whole chain works: photos of COCO with annotations, targets, losses,
updates, detection, masks pasted back into the photos, and COCO's own evaluation of the photos that
were learned from. It says nothing about other photos. Written by
`python -m training.results.coco_overfit RUN`; the log is in [{name}.csv]({name}.csv).
"""


def main(argv: list[str] | None = None) -> int:
    return program(NAME, __doc__, write, argv, run="run folder")


def write(folder: Path, to: Path) -> None:
    """Writes the three files.

    Raises:
        ZooError: there is no finished run of the recipe.
    """
    run = read_run(folder)
    if run is None or run.about["name"] != NAME:
        raise ZooError(f"{folder} holds no finished run of the recipe {NAME}.")
    columns = list(dict.fromkeys(key for row in run.history for key in row))
    with (to / f"{NAME}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(run.history)
    _draw(run, to / f"{NAME}.png")
    (to / f"{NAME}.md").write_text(_page(run))


def _page(run: Run) -> str:
    recipe = run.about["recipe"]
    head = "| measured on the same photos | AP | AP50 | AP75 |\n|---|---|---|---|"
    rows = [
        f"| {kind} | " + " | ".join(f"{run.metrics[kind][name]:.3f}" for name in FIGURES) + " |"
        for kind in run.metrics
    ]
    args = ", ".join(f"{key}={value}" for key, value in recipe["model_args"].items())
    setting = (
        f"`{recipe['model']}` ({args}), {recipe['steps']} updates of "
        f"{recipe['batch_size']} photos on a canvas of {recipe['size'][0]} x {recipe['size'][1]} "
        f"pixels, {run.minutes:.0f} minutes on {run.about['device']}, {run.about['backend']}, "
        f"commit {run.about['commit']}."
    )
    command = "    python -m training.train coco_overfit data=FOLDER"
    parts = [HEAD.format(name=NAME).strip(), "\n".join([head, *rows]), setting, command]
    return "\n\n".join([*parts, f"![Losses and average precision by update]({NAME}.png)"]) + "\n"


def _draw(run: Run, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = run.about["recipe"]["round"]
    for key in ("rpn_score_loss", "rpn_box_loss", "class_loss", "box_loss", "mask_loss"):
        _line(left, run, key, steps, key.replace("_", " "))
    for key in ("box_AP50", "mask_AP50", "box_AP", "mask_AP"):
        _line(right, run, f"test_{key}", steps, key.replace("_", " "))
    left.set(xlabel="update", ylabel="loss", yscale="log")
    right.set(xlabel="update", ylabel="average precision", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)


def _line(axes, run: Run, key: str, steps: int, label: str) -> None:
    points = [(row["epoch"] * steps, row[key]) for row in run.history if key in row]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, marker=".")


if __name__ == "__main__":
    sys.exit(main())
