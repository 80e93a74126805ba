"""Every recipe's net is built, and recipes that have all that there is train two steps.

Rows that differ in depth or in numbers alone train the same program: they are made small, and what
is then equal is built once, without values. Trained are as few programs as have every family and
every setting. The real nets are built by `python -m training.recipes_page`.
"""

import dataclasses
import inspect
import json

import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from tests.training.test_pipeline import items
from training import recipe as recipes
from training.data import Images
from training.data.pipeline import Batches
from training.data.statistics import per_pixel
from training.engines import Engine
from training.tasks.classification.model import build, prepare_layer
from training.tasks.classification.recipe import ClassificationRecipe
from zoo import registry
from zoo.models.deferred import build_without_values

pytestmark = pytest.mark.once

NUMBERS = {"weight_decay": 1e-4, "orthonormal": 1e-4, "orthogonal": 1e-4, "dropout": 0.3}


def kind(name: str) -> tuple:
    """What is alike in variants of a family that differ in depth alone; from 50 on, the blocks of
    nets for large pictures have three convolutions."""
    variant = registry.find(name)
    fixed = {k: v for k, v in variant.fixed.items() if k != "depth"}
    deep = variant.family.__name__ in ("large_resnet", "seqnet") and variant.fixed["depth"] >= 50
    return variant.family, json.dumps([fixed, dict(variant.defaults)]), deep


def shallow(name: str) -> str:
    """The shallowest architecture of the kind."""
    alike = [v for v in registry.variants("classification").values() if kind(v.name) == kind(name)]
    return min(alike, key=lambda variant: variant.fixed.get("depth", 0)).name


def small(recipe: ClassificationRecipe) -> ClassificationRecipe:
    """The same program, in a second."""
    args = {k: NUMBERS[k] if v and k in NUMBERS else v for k, v in recipe.model_args.items()}
    if "width" in inspect.signature(registry.find(recipe.model).family).parameters:
        args["width"] = 8
    how = recipe.preprocess
    side = {16: 16, 28: 28}.get(how.size[0], 32 if how.size[0] < 224 else 64)
    return dataclasses.replace(
        recipe,
        model=shallow(recipe.model),
        model_args=args,
        multipliers=dict.fromkeys(recipe.multipliers, 0.5),
        preprocess=dataclasses.replace(
            how, size=(side, side), mean=(0.5,) * how.channels, std=(1.0,) * how.channels
        ),
        dtype="float32",
        data="",
        batch_size=4 * recipe.accumulate,
        **{"epochs": 1, "learning_rate": 0.01, "drops": (0.5,), "warmup_epochs": 0},
        **{"modulation_steps": min(recipe.modulation_steps, 1), "tag": "", "published": ""},
        **{"seed": 0, "recalibrate": 0, "recalibrate_batch": 1, "validate_every": 0},
    )


def programs() -> dict[str, ClassificationRecipe]:
    """The small recipes that differ, by the name of the first that gives them."""
    found = {}
    for name in recipes.names("classification"):
        recipe = small(recipes.find(name))
        key = json.dumps(dataclasses.asdict(recipe), sort_keys=True, default=str)
        found.setdefault(key, (name, recipe))
    return dict(found.values())


def settings(recipe: ClassificationRecipe) -> set[tuple]:
    """What chooses a path through the code: the family, options, and whether a number is there."""
    family, _, deep = kind(recipe.model)
    found = {("family", family.__name__, deep)}
    fields = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
    how = vars(recipe.preprocess)
    for name, value in (fields | how | recipe.model_args).items():
        if isinstance(value, str | bool | None):
            found.add((name, value))
        elif isinstance(value, int | float | tuple | dict):
            found.add((name, bool(value)))
    return found


def few() -> list[str]:
    """Names of programs that together have every setting."""
    left = {name: settings(recipe) for name, recipe in PROGRAMS.items()}
    chosen = []
    while any(left.values()):
        chosen.append(max(left, key=lambda name: len(left[name])))
        covered = left[chosen[-1]]
        left = {name: rest - covered for name, rest in left.items()}
    return chosen


PROGRAMS = programs()


def net(recipe: ClassificationRecipe) -> tuple[str, dict]:
    """Arguments of `zoo.create`."""
    shape = (*recipe.preprocess.size, recipe.preprocess.channels)
    return recipe.model, {"input_shape": shape, **recipe.model_args}


NETS = {str(net(recipe)): name for name, recipe in reversed(PROGRAMS.items())}


@pytest.mark.parametrize("name", NETS.values())
def test_net_is_built(name):
    architecture, options = net(PROGRAMS[name])
    build_without_values(lambda: zoo.create(architecture, **options))


class Larger:
    """Pictures of many sizes that are cut at random."""

    DRAWS = 2

    def __len__(self):
        return 8

    def resized_crops(self, index, draws, size):
        return np.random.default_rng(index).integers(0, 256, (len(index), *size, 3), "uint8")


def tiny(recipe: ClassificationRecipe) -> Images:
    shape = (8, *recipe.preprocess.size, recipe.preprocess.channels)
    x = (
        Larger()
        if recipe.resized_crop
        else np.random.default_rng(0).integers(0, 256, shape, "uint8")
    )
    return Images(x, np.arange(8), tuple("abcdefghij"))


@pytest.mark.release
@pytest.mark.parametrize("name", few())
def test_two_steps(name):
    recipe = PROGRAMS[name]
    images = tiny(recipe)
    if recipe.per_pixel:
        mean, std = (
            tuple((v * recipe.preprocess.scale).ravel().tolist()) for v in per_pixel(images)
        )
        how = dataclasses.replace(recipe.preprocess, mean=mean, std=std)
        recipe = dataclasses.replace(recipe, preprocess=how)
    keras.utils.set_random_seed(0)
    trainer = build(recipe, images.labels, "uint8", 2, Engine())
    trainer.run_eagerly = True  # quicker than to trace and compile what runs twice
    before = [array(v) for v in trainer.trainable_variables]
    batches = Batches(
        images,
        size=4,
        seed=0,
        draws=prepare_layer(recipe).draws,
        crops=recipe.preprocess if recipe.resized_crop else None,
        mixup=recipe.mixup,
        cutmix=recipe.cutmix,
        soft=recipe.soft_labels,
    )
    for inputs, labels in items(batches.epoch(0, 0, "memory")):
        logs = trainer.train_on_batch(inputs, labels, return_dict=True)
        assert np.isfinite(logs["loss"])
    after = [array(v) for v in trainer.trainable_variables]
    moved = [v.path for v, a, b in zip(trainer.trainable_variables, before, after, strict=True)
             if (a != b).any()]  # fmt: skip
    assert len(moved) > len(before) / 2
