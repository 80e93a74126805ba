"""Frozen names and costs, and what is told of them; the same on every backend."""

import functools
import json
import math

import numpy as np
import pytest

from tests.models import golden
from tests.support.helpers import array
from training import models_page
from zoo.initializers import Orthonormal
from zoo.initializers.orthonormal import output_groups
from zoo.registry import variants

pytestmark = pytest.mark.once

GOLDEN = json.loads(golden.PATH.read_text())


@functools.cache
def built(name):
    """Golden facts of a default model, the shapes of its kernels, and the layers of its graph."""
    model = golden.build(name)
    kernels = {tuple(v.shape) for v in model.trainable_variables if v.path.endswith("kernel")}
    return golden.describe(model), kernels, len(model.layers)


def release(names):
    """The names, those of the deepest nets for a release; of 1202 layers, one is built anyway."""
    deepest = [n for n in names if ("2402" in n or "1202" in n) and n != "resnet1202"]
    return [pytest.param(n, marks=pytest.mark.release if n in deepest else ()) for n in names]


@pytest.mark.parametrize("name", release(variants("classification")))
def test_names_and_cost_are_frozen(name):
    assert built(name)[0] == GOLDEN[name]
    # A graph that is as deep as the net dies of recursion.
    assert built(name)[2] < 20 or GOLDEN[name]["weight_layers"] < 200


@pytest.mark.release
def test_orthonormal_for_every_kernel_shape():
    shapes = set().union(*(built(name)[1] for name in variants("classification")))
    for shape in shapes:
        fan_in = math.prod(shape[:-1])
        if fan_in * shape[-1] ** 2 > 5e9:  # a minute of QR and more: VGG's dense layers
            continue
        w = array(Orthonormal(seed=1)(shape)).reshape(fan_in, -1)
        for group in output_groups(*w.shape):
            part = w[:, group]
            np.testing.assert_allclose(part.T @ part, np.eye(part.shape[1]), atol=1e-5)


def test_golden_lists_exactly_the_models():
    assert sorted(GOLDEN) == sorted(variants("classification"))


def test_models_page_is_that_of_the_tables():
    assert models_page.PAGE.read_text() == models_page.page(GOLDEN)
