"""Writes training/costs.json and docs/recipes.md: `python -m training.recipes_page`."""

import functools
import json
from pathlib import Path

from training import costs
from training import recipe as recipes
from training.detection.recipe import DetectionRecipe
from training.recipe import Recipe

# Classes of each data set; of some, the files alone name them.
CLASSES = {
    "usps": 10,
    "coil20": 20,
    "mnist": 10,
    "cifar10": 10,
    "cifar100": 100,
    "imagenet2012": 1000,
}
PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
HEAD = """# Recipes

Every training that `python -m training.train NAME` knows, by file of `training/recipes/`. The
head of a file tells the protocol and what differs from the paper's. This page is written by
`python -m training.recipes_page`; the tests compare it with the recipes.

Training operations count two per multiply-add of convolutions and dense layers, three passes and
all images of all epochs; evaluation comes on top. `python -m training.train --list` tells how long
that may take. Published figures are the papers' own. Files that end in `_cpu` are shortened for
two CPU cores; those in `_gpu` are in bfloat16 for one large GPU.
"""


def page() -> str:
    """The page, from the recipes and `costs.json`."""
    parts, files = [HEAD.strip()], {}
    for name in recipes.names():
        files.setdefault(name.partition("/")[0], []).append(name)
    for file, names in files.items():
        head = "| recipe | model | data | epochs | PFLOP | published |"
        rows = [_row(name, recipes.find(name)) for name in names]
        parts += [
            f"## {file}",
            f"{recipes.head(names[0]).splitlines()[0]} Cost: {costs.span(file)}.",
            "\n".join([head, "|---" * 6 + "|", *rows]),
        ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, recipe: Recipe | DetectionRecipe) -> str:
    total = costs.flop(costs.table()[name]).removesuffix(" PFLOP")
    if isinstance(recipe, DetectionRecipe):
        length = f"{recipe.steps:,} updates of {recipe.batch_size}"
    else:
        length = str(recipe.epochs)
    cells = [f"`{name}`", f"`{recipe.model}`", recipe.data or "a folder", length, total]
    return f"| {' | '.join([*cells, recipe.published or '–'])} |"


def count(recipe: Recipe | DetectionRecipe) -> int:
    """Operations of a recipe, of a model that is built for it, without values."""
    if isinstance(recipe, DetectionRecipe):
        from training.detection.cost import multiply_adds

        return costs.operations(recipe, multiply_adds(recipe))
    how = recipe.preprocess
    shape = (*how.size, how.channels)
    classes = CLASSES[recipe.data]
    model_args = tuple(sorted(recipe.model_args.items()))
    return costs.operations(recipe, _multiply_adds(recipe.model, shape, classes, model_args))


@functools.cache
def _multiply_adds(model: str, input_shape: tuple, num_classes: int, model_args: tuple) -> int:
    import keras

    import zoo
    from zoo.models.cost import multiply_adds
    from zoo.models.deferred import build_without_values

    arguments = {"input_shape": input_shape, "num_classes": num_classes, **dict(model_args)}
    result = multiply_adds(build_without_values(lambda: zoo.create(model, **arguments)))
    keras.backend.clear_session()
    return result


def main() -> None:
    totals = {name: count(recipes.find(name)) for name in recipes.names()}
    costs.PATH.write_text(json.dumps(totals, indent=1) + "\n")
    costs.table.cache_clear()
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
