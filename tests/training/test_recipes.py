"""Recipes, what they cost, and the page that lists them."""

import collections
import dataclasses
import importlib
import re
from fnmatch import fnmatchcase

import pytest

import zoo
from training import costs, recipes_page
from training import recipe as recipes
from training.data import DATASETS
from training.optimizer import OPTIMIZERS
from training.recipes import on_large_gpu
from zoo import registry
from zoo.errors import ZooError
from zoo.models.deferred import build_without_values

pytestmark = pytest.mark.once

FILES = sorted({name.partition("/")[0] for name in recipes.names()})
CLASSIFIERS = sorted({name.partition("/")[0] for name in recipes.names("classification")})


def head(file):
    """What the head of a file of recipes tells people."""
    return importlib.import_module(f"training.recipes.{file}").__doc__


def rows(file):
    """The recipes of a file by row; of a file with one recipe, that."""
    return {n: recipes.find(n) for n in recipes.names() if n.partition("/")[0] == file}


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_complete(name):
    recipe = recipes.find(name)
    file, _, row = name.partition("/")
    command = f"train {file}/ROW " if row else f"train {file} "
    for part in ("Command:", "Cost:", "Expected:", command):
        assert part in head(file)
    about = recipes.about(name)
    assert head(file).startswith(f"{about.title}.")
    assert about.paper
    assert about.protocol
    assert recipe.model in zoo.list_models()
    assert dataclasses.replace(recipe, seed=1) != recipe
    assert recipes.settings(name, recipe) == []
    settings = ["seed=7", "model_args.width=5"]
    changed = recipes.override(recipe, settings)
    assert recipes.settings(name, changed) == settings
    assert recipes.override(recipe, recipes.settings(name, changed)) == changed


@pytest.mark.parametrize("name", recipes.names("classification"))
def test_every_value_is_allowed(name):
    recipe = recipes.find(name)
    variant = registry.find(recipe.model)
    assert variant.parse(recipe.model_args) == recipe.model_args
    shape = DATASETS[recipe.data].shape
    assert shape in (None, (*recipe.preprocess.size, recipe.preprocess.channels))
    assert recipe.resized_crop or shape is not None
    assert recipe.batch_size <= DATASETS[recipe.data].sizes["train"]
    assert recipe.recalibrate <= DATASETS[recipe.data].sizes["train"]
    assert recipe.optimizer in OPTIMIZERS
    assert recipe.schedule in ("cosine", "steps", "constant")
    assert bool(recipe.warmup_epochs) <= (recipe.schedule != "constant")
    assert bool(recipe.modulation_steps) <= recipe.model_args.get("modulation", False)
    # The statistics of batch norm are estimated anew where there are any, and nowhere else.
    norm = recipe.model_args.get("norm", variant.options.get("norm", "batchnorm"))
    assert (recipe.recalibrate > 0) == (norm != "none")


def test_checkpoints_have_names_of_their_own():
    count = collections.Counter((r.model, r.tag) for r in map(recipes.find, recipes.names()))
    assert [key for key, n in count.items() if n > 1] == []
    assert all(re.fullmatch("[a-z0-9_-]+", tag) for _, tag in count)


@pytest.mark.parametrize("name", recipes.names("classification"))
def test_published_figures_tell_where_they_are_printed(name):
    place = r"(table ([IVX]+|A?\d)|figure A?\d|section \d|appendix [A-Z])"
    assert re.search(rf"\((.* et al\., )?{place}", recipes.find(name).published)


@pytest.mark.parametrize("file", [file for file in CLASSIFIERS if file.endswith("_cpu")])
def test_shortened_rows_have_one_budget(file):
    fields = ("data", "epochs", "batch_size", "dtype", "seed", "flip", "crop")
    budgets = {tuple(getattr(r, field) for field in fields) for r in rows(file).values()}
    assert len(budgets) == 1


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith("_gpu")])
def test_large_gpu_scales_rate_and_batch_alike(file):
    large, paper = rows(file), rows(file.removesuffix("_gpu"))
    assert [name.partition("/")[2] for name in large] == [n.partition("/")[2] for n in paper]
    for big, small in zip(large.values(), paper.values(), strict=True):
        factor = big.batch_size / small.batch_size
        assert big.learning_rate == pytest.approx(factor * small.learning_rate)
        assert factor == 1 or small.warmup_epochs > 0
        same = {"dtype": "mixed_bfloat16", "tag": f"{small.tag}_gpu"}
        same |= {"batch_size": big.batch_size, "learning_rate": big.learning_rate}
        assert big == dataclasses.replace(small, **same)


def test_on_large_gpu():
    small = recipes.find("seqnet_table1_imagenet/seqnet50")
    assert on_large_gpu({"row": small})["row"].batch_size == small.batch_size
    big = on_large_gpu({"row": small}, batch_size=1024)["row"]
    assert (big.batch_size, big.dtype) == (1024, "mixed_bfloat16")
    assert big.learning_rate == pytest.approx(0.08)  # Goyal et al.: 4 x 0.02


@pytest.mark.parametrize(
    ("model", "convolutions"),
    [("seqnet18", 0.08), ("seqnet34", 0.04), ("seqnet50", 0.02), ("seqnet101", 0.02)],
)
def test_rates_of_seqnets(model, convolutions):
    """Hu, appendix B.1: the classifier at 0.1, stage 3 of 101 layers at 6/23 of the others."""
    recipe = recipes.find(f"seqnet_table1_imagenet/{model}")
    network = build_without_values(
        lambda: zoo.create(model, input_shape=(32, 32, 3), width=4, num_classes=10)
    )

    def rate(path):
        factors = (f for p, f in recipe.multipliers.items() if fnmatchcase(path, p))
        return recipe.learning_rate * next(factors, 1.0)

    found = collections.defaultdict(set)
    for variable in network.trainable_variables:
        found[round(rate(variable.path), 6)].add(variable.path.partition("_")[0])
    third = {} if model != "seqnet101" else {round(0.02 * 6 / 23, 6): {"stage3"}}
    assert found[0.1] >= {"head"}
    assert {r: parts for r, parts in found.items() if parts == {"stage3"}} == third
    assert set(found) == {0.1, convolutions, *third}


@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    [
        ("maxnorm_figure1_usps/naive3", 256 * 300 + 2 * 300 * 300 + 300 * 10),
        ("maxnorm_figure9_coil20/proposed5", 128 * 128 * 300 + 4 * 300 * 300 + 300 * 20),
        ("conditioning_figurea5_mnist/bn_he", 784 * 256 + 18 * 256 * 256 + 256 * 10),
    ],
)
def test_operations_are_those_of_the_layers(name, multiply_adds):
    recipe = recipes.find(name)
    images = {"usps": 7291, "coil20": 1008, "mnist": 60_000}[recipe.data]
    expected = 3 * 2 * multiply_adds * images * recipe.epochs
    assert costs.table()[name] == recipes_page.count(recipe) == expected


@pytest.mark.parametrize(
    "name",
    [
        "residual_cifar10_cpu/crelu_resnet20",
        "crelu_table2_cifar10_cpu/crelu_normprop2",
        "coco_overfit",
    ],
)
def test_counts_of_convolutional_nets_are_current(name):
    assert costs.table()[name] == recipes_page.count(recipes.find(name))


def test_costs_are_those_of_the_recipes():
    assert list(costs.table()) == recipes.names()
    table = costs.table()
    # Twice the epochs cost twice as much, another precision or rate nothing.
    once = table["lastbn_table1_cifar10/resnet1202_lastbn"]
    assert table["lastbn_table1_cifar10/resnet1202_lastbn_long"] == 2 * once
    assert table["lastbn_table1_cifar10_gpu/resnet1202_lastbn"] == once


@pytest.mark.parametrize("file", FILES)
def test_heads_tell_the_cost(file):
    cost = re.search(r"Cost: +(.*?)\n\S", head(file), re.DOTALL).group(1)
    assert costs.span(file) in cost or "PFLOP" not in cost


def test_page_is_that_of_the_recipes():
    assert recipes_page.PAGE.read_text() == recipes_page.page()


def test_listing_builds_no_model(monkeypatch):
    monkeypatch.setattr(zoo, "create", None)
    text = costs.listing("maxnorm_mlp100_*")
    assert text.splitlines()[:2] == [
        "maxnorm_mlp100_coil20",
        "    0.025 PFLOP, about 2.5 min on 2 CPU cores, 5 s on a large GPU",
    ]
    assert "published: 5.48% test error (table II); measured: " in text
    assert text.count("\n    published: ") == 2
    assert costs.listing("maxnorm_table2_usps/bn_*").count("\n    published: ") == 3
    names = [line for line in costs.listing().splitlines() if not line.startswith(" ")]
    assert names == recipes.names()
    assert costs.listing("nothing") == ""


def test_estimates():
    assert costs.duration(0.2) == "1 s"
    assert costs.duration(89) == "89 s"
    assert costs.duration(90) == "1.5 min"
    assert costs.duration(3600 * 37) == "1.5 days"
    assert costs.flop(0.0254e15) == "0.025 PFLOP"
    assert costs.flop(1234e15) == "1,234 PFLOP"
    with pytest.raises(ZooError, match="Did you mean 'plainnet44_cifar10'"):
        costs.estimate("plainnet44_cifar")
