"""What trainings cost and should give, told without building a model.

Operations are counted once, by `python -m training.recipes_page`, and kept in `costs.json`.
"""

import functools
import json
from fnmatch import fnmatchcase
from pathlib import Path

from training import recipe as recipes
from training import tasks
from training.tasks.recipe import Recipe
from zoo.tasks import TASKS

PATH = Path(__file__).with_name("costs.json")

# Operations per second of two CPU cores in a training step with TensorFlow: an assumption, after
# the images per second of logs of maxnorm_mlp100 (float32) and plainnet44 (bfloat16).
CPU = {"float32": 0.17e12, "mixed_bfloat16": 0.48e12}

# Assumptions for one large GPU, not measurements: nets for large pictures keep it busy, those for
# small ones, of few filters, wait for its memory and for the start of each of their many layers.
GPU_LARGE_PICTURES, GPU_SMALL_PICTURES = 100e12, 5e12
LARGE = 200  # pixels on a side


def operations(recipe: Recipe, multiply_adds: int) -> int:
    """Operations of a whole training: two per multiply-add of an image, three passes (one forward,
    two backward), all images of all epochs. Evaluation comes on top.

    Args:
        recipe: the training.
        multiply_adds: of the model for one image, see `zoo.models.cost.multiply_adds`.
    """
    return 3 * 2 * multiply_adds * tasks.find(recipe.task).examples(recipe)


@functools.cache
def table() -> dict[str, int]:
    """Operations of every recipe by name."""
    return json.loads(PATH.read_text())


def estimate(name: str) -> str:
    """For example '0.87 PFLOP, about 30 min on 2 CPU cores, 2.9 min on a large GPU'.

    Raises:
        ZooError: for an unknown recipe.
    """
    recipe, total = recipes.find(name), table()[name]
    gpu = GPU_LARGE_PICTURES if max(recipe.input_size) >= LARGE else GPU_SMALL_PICTURES
    return (
        f"{flop(total)}, about {duration(total / CPU[recipe.dtype])} on 2 CPU cores, "
        f"{duration(total / gpu)} on a large GPU"
    )


def span(file: str) -> str:
    """Operations of a file's recipe, or of its rows: '1.2 to 3.1 PFLOP a row'."""
    totals = {name: total for name, total in table().items() if name.partition("/")[0] == file}
    low, high = flop(min(totals.values())), flop(max(totals.values()))
    text = high if low == high else f"{low.removesuffix(' PFLOP')} to {high}"
    return text if file in totals else f"{text} a row"


def listing(pattern: str = "*") -> str:
    """Name, cost and expectation of every recipe that matches the fnmatch `pattern`.

    Example:

    >>> print(listing("maxnorm_table2_usps/*"))
    """
    lines = []
    for name in recipes.names():
        if fnmatchcase(name, pattern):
            lines += [name, f"    {estimate(name)}", f"    {expectation(recipes.find(name))}"]
    return "\n".join(lines)


def expectation(recipe: Recipe) -> str:
    """What the paper published, and what the checkpoint of the recipe gives where it is shipped."""
    import zoo

    text = f"published: {recipe.published or 'nothing'}"
    checkpoint = f"{recipe.model}.{recipe.tag}"
    if checkpoint in zoo.list_weights():
        task = TASKS[recipe.task]
        metric = next(m for m in zoo.card(checkpoint).metrics if m.name == task.metric)
        text += f"; measured: {metric.value:.2%} {metric.split} {task.metric_in_words}"
    return text


def flop(total: float) -> str:
    """In PFLOP, whole ones or two digits: '12 PFLOP', '0.87 PFLOP'."""
    value = total / 1e15
    return f"{value:,.0f} PFLOP" if value >= 10 else f"{value:.2g} PFLOP"


def duration(seconds: float) -> str:
    """In the unit that suits, to two digits: '20 min'."""
    for unit, size in (("years", 3.15e7), ("days", 86400), ("hours", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{float(f'{seconds / size:.2g}'):,g} {unit}"
    return f"{max(seconds, 1):.0f} s"
