"""Writes docs/models.md, the page of all architectures, and `zoo/catalog.json`, the same for the
console: `python -m training.models_page`."""

import math
from collections.abc import Mapping
from pathlib import Path

from zoo import catalog
from zoo.models.variant import Variant

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
HEAD = """# Architectures

Every classifier that `zoo.create` knows, with default arguments; `mask_rcnn_NAME` is a detector on
each of them that gives features. This page is written by `python -m training.models_page` from the
tables of `zoo/models/`; the tests compare it with the models.

Layers are convolutions and dense layers in a row, those on shortcuts left out. Parameters are the
trainable ones. Operations are multiply-adds of convolutions and dense layers for one image of the
default size; a FLOP count that takes a multiply-add for two is twice this. Published figures are
the papers' own, under their own protocols; measured ones are those of this project's checkpoints
on full test sets, from the files in `weights/`.
"""


def page(facts: Mapping[str, Mapping[str, int]]) -> str:
    """The page; `facts` gives weight_layers, trainable and multiply_adds of every name."""
    from zoo.registry import variants

    papers: dict[str, list[str]] = {}
    for name, variant in variants("classification").items():
        row = facts[name]
        cells = [
            f"`{name}`",
            str(row["weight_layers"]),
            _short(row["trainable"]),
            _short(row["multiply_adds"]),
            variant.published or "–",
            _measured(name) or "–",
        ]
        papers.setdefault(variant.paper, []).append(f"| {' | '.join(cells)} |")
    parts = [HEAD.strip()]
    for paper, rows in papers.items():
        head = "| name | layers | parameters | operations | published | measured |"
        parts += [f"## {paper}", "\n".join([head, "|---" * 6 + "|", *rows])]
    return "\n\n".join(parts) + "\n"


def _short(number: int) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _measured(name: str) -> str:
    import zoo

    figures = []
    for checkpoint in zoo.list_weights(f"{name}.*"):
        top1 = next(m for m in zoo.card(checkpoint).metrics if m.name == "top1")
        figures.append(f"`.{checkpoint.partition('.')[2]}` {top1.value:.2%} top-1")
    return ", ".join(figures)


def entry(variant: Variant, params: int, multiply_adds: int) -> catalog.Entry:
    """What the catalog says of a variant."""
    return catalog.Entry(
        name=variant.name,
        family=variant.family.__name__,
        task=variant.task,
        paper=variant.paper,
        published=variant.published,
        weights=variant.weights,
        params=params,
        multiply_adds=multiply_adds,
        options={name: (o.default, o.allowed) for name, o in variant.signature.items()},
    )


def main() -> None:
    from zoo.models.cost import multiply_adds, weight_layers
    from zoo.models.deferred import build_without_values
    from zoo.registry import variants

    facts, entries = {}, {}
    for name, variant in variants().items():
        model = build_without_values(variant.build)
        entries[name] = entry(variant, model.count_params(), multiply_adds(model))
        facts[name] = {
            "weight_layers": weight_layers(model),
            "trainable": sum(math.prod(v.shape) for v in model.trainable_variables),
            "multiply_adds": entries[name].multiply_adds,
        }
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(facts))
    catalog.write(entries)


if __name__ == "__main__":
    main()
