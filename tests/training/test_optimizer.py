"""Recipes' settings, optimizers and learning rates."""

import dataclasses

import numpy as np
import pytest

from tests.support import toy
from tests.support.helpers import array
from training import recipe as recipes
from training.optimizer import OPTIMIZERS, optimizer
from training.tasks.classification.schedule import rate
from zoo.errors import ZooError


def test_overrides():
    changed = recipes.override(
        toy.RECIPE, ["epochs=9", "learning_rate=1", "flip=False", "drops=(0.3, 0.6)"]
    )
    assert (changed.epochs, changed.learning_rate, changed.flip) == (9, 1.0, False)
    assert changed.drops == (0.3, 0.6)
    assert changed.model_args == toy.RECIPE.model_args


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "Expected key=value"),
        ("epochs=many", "epochs must be of type int"),
        ("flip=1", "flip must be of type bool"),
        ("lerning_rate=0.1", "Did you mean 'learning_rate'"),
        ("preprocess=None", "Unknown setting"),
    ],
)
def test_bad_overrides(setting, message):
    with pytest.raises(ZooError) as caught:
        recipes.override(toy.RECIPE, [setting])
    assert message in str(caught.value)


def changed(**settings):
    return dataclasses.replace(toy.RECIPE, epochs=10, learning_rate=0.4, **settings)


def test_cosine_after_warm_up():
    cosine = rate(changed(warmup_epochs=2), 100)
    expected = {0: 0, 100: 0.2, 200: 0.4, 600: 0.2, 1000: 0}
    found = [array(cosine(step)) for step in expected]
    np.testing.assert_allclose(found, list(expected.values()), atol=1e-6)


def test_steps_fall_by_ten_at_every_drop():
    stepped = rate(changed(schedule="steps", drops=(0.3, 0.6, 0.9), warmup_epochs=0), 100)
    found = [float(array(stepped(s))) for s in (0, 299, 300, 599, 600, 899, 900, 999)]
    assert found == pytest.approx([0.4, 0.4, 0.04, 0.04, 0.004, 0.004, 0.0004, 0.0004])


def test_steps_warm_up_at_a_tenth():
    stepped = rate(changed(schedule="steps", drops=(0.3,), warmup_epochs=2), 100)
    rates = [float(array(stepped(s))) for s in (0, 199, 200, 299, 300)]
    assert rates == pytest.approx([0.04, 0.04, 0.4, 0.4, 0.04])


def test_constant():
    assert rate(changed(schedule="constant", warmup_epochs=0), 100) == 0.4


@pytest.mark.parametrize("accumulate", [1, 4])
def test_an_update_has_its_rate_however_many_passes_it_takes(accumulate):
    recipe = changed(schedule="steps", accumulate=accumulate, warmup_epochs=0)
    made = optimizer(recipe, rate(recipe, 100 * accumulate))
    last_pass = [update * accumulate + accumulate - 1 for update in (499, 500)]
    assert [float(array(made._learning_rate(s))) for s in last_pass] == pytest.approx([0.4, 0.04])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_made(name):
    made = optimizer(changed(optimizer=name, clip_norm=2.0), 0.1)
    assert type(made).__name__.lower() == name  # some backends have kinds of their own
    assert made.global_clipnorm == 2.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "linear"}, "cosine, steps or constant"),
        ({"schedule": "steps", "drops": (0.6, 0.3)}, "drops must rise"),
        ({"schedule": "steps", "drops": (0.5, 1.0)}, "drops must rise"),
        ({"schedule": "steps", "drops": (0.1, 0.5)}, "must end before the first"),
        ({"schedule": "constant"}, "warmup_epochs is for"),
        ({"optimizer": "sdg"}, "Did you mean 'sgd'"),
        ({"optimizer": "adam", "multipliers": {"head_dense/*": 2.0}}, "multipliers are for"),
        ({"clip_norm": -1.0}, "clip_norm must be a number of at least 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ZooError, match=message):
        optimizer(changed(**settings), rate(changed(**settings), 100))
