"""Writes training/costs.json and docs/recipes.md: `python -m training.recipes_page`."""

import json
from pathlib import Path

from training import costs, tasks
from training import recipe as recipes
from training.tasks.recipe import Recipe

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
HEAD = """# Recipes

Every training that `python -m training.train NAME` knows, by file of `training/recipes/`. `ABOUT`
in a file tells the protocol and what differs from the paper's. This page is written by
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
            f"{recipes.about(names[0]).title}. Cost: {costs.span(file)}.",
            "\n".join([head, "|---" * 6 + "|", *rows]),
        ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, recipe: Recipe) -> str:
    total = costs.flop(costs.table()[name]).removesuffix(" PFLOP")
    cells = [f"`{name}`", f"`{recipe.model}`", recipe.data or "a folder", recipe.length, total]
    return f"| {' | '.join([*cells, recipe.published or '–'])} |"


def count(recipe: Recipe) -> int:
    """Operations of a recipe, of a model that is built for it, without values."""
    return costs.operations(recipe, tasks.find(recipe.task).multiply_adds(recipe))


def main() -> None:
    totals = {name: count(recipes.find(name)) for name in recipes.names()}
    costs.PATH.write_text(json.dumps(totals, indent=1) + "\n")
    costs.table.cache_clear()
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
