"""Recipes: one file per training or published table. `ABOUT` tells what it is, its head what to
expect; its `RECIPE`, or the rows of its `RECIPES`, are what runs."""

import dataclasses
from collections.abc import Mapping

from training.tasks.recipe import Recipe


def on_large_gpu(rows: Mapping[str, Recipe], batch_size: int = 0) -> dict[str, Recipe]:
    """A table's rows in bfloat16; with a `batch_size`, the rate grows in proportion to it.

    Source: of the proportion, Goyal et al., "Accurate, Large Minibatch SGD", section 2.1; it wants
    a warm-up.
    """
    return {
        row: dataclasses.replace(
            recipe,
            tag=f"{recipe.tag}_gpu",
            dtype="mixed_bfloat16",
            batch_size=batch_size or recipe.batch_size,
            learning_rate=recipe.learning_rate
            * (batch_size or recipe.batch_size)
            / recipe.batch_size,
        )
        for row, recipe in rows.items()
    }
