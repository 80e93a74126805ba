import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.callbacks import ModulationCallback
from zoo.signals.profile import error_moments
from zoo.signals.theory.depth import growth_per_layer


def images(n=16):
    return np.random.default_rng(0).normal(size=(n, 8, 8, 3)).astype("float32")


# The theory; that the layers follow it on every backend: tests/layers/test_modulation.py.
once = pytest.mark.once


def tiny(name, **options):
    keras.utils.set_random_seed(0)
    return zoo.create(
        name, input_shape=(8, 8, 3), num_classes=2, width=2, activation=None, **options
    )


@once
def test_modulation_keeps_errors_at_one_magnitude_through_110_layers():
    model = tiny("plainnet110", modulation=True, initializer="he_normal", orthonormal=0)
    source = model.get_layer("modulation")
    assert len(source.points) == 109
    model.compile(keras.optimizers.SGD(0.0), "mse")

    def moments(*callbacks):
        model.fit(
            images(), np.eye(2)[np.arange(16) % 2], batch_size=16, verbose=0, callbacks=callbacks
        )
        return array(source.moments).T

    arrived, handed = moments(ModulationCallback(first_steps=1, band=1.1))
    rho = np.sqrt(handed[1:] / arrived[:-1])
    acts = (rho > 1.1) | (rho < 1 / 1.1)
    assert acts.mean() > 0.5
    ratio = np.sqrt(handed[:-1] / handed[1:])
    np.testing.assert_allclose(ratio[acts], 1, rtol=1e-3)
    assert ratio.max() <= 1.1001
    assert ratio.min() >= 1 / 1.1001
    # Without, the same errors explode.
    arrived, handed = moments()
    np.testing.assert_array_equal(arrived, handed)
    assert arrived.max() / arrived.min() > 1e4


@once
def test_errors_grow_less_the_higher_beta_starts():
    x = np.random.default_rng(0).normal(size=(32, 8, 8, 3)).astype("float32")
    layers = [f"stage1_{i}_conv" for i in range(1, 15)]
    growths = []
    for beta in (0.0, 0.5, 1.0):
        model = tiny("plainnet44", beta=beta)
        moments = error_moments(model, x, np.arange(32) % 2, layers=layers)
        growths.append(growth_per_layer({k: v**0.5 for k, v in moments.items()}))
        # In the theory of one layer; beyond it, the border of zeros is a signal itself.
        theory = zoo.signals.activation_ratios(lambda v: keras.ops.relu(v + beta)).growth  # noqa: B023
        assert growths[-1] < 1.03 * theory
    assert growths[0] > growths[1] > growths[2]


def test_beta_needs_a_normalization():
    with pytest.raises(ValueError, match="beta is the shift of 'batchnorm' or 'groupnorm'"):
        tiny("plainnet20", norm="none", beta=1.0)


@pytest.mark.parametrize("options", [{}, {"features": True}, {"num_classes": 0}])
def test_modulation_adds_the_source_and_nothing_else(options):
    options = {"input_shape": (8, 8, 3), "width": 2, **options}
    keras.utils.set_random_seed(0)
    plain, model = (zoo.create("plainnet20", modulation=on, **options) for on in (False, True))
    weights = {v.path: v for v in model.variables}
    assert set(weights) - {v.path for v in plain.variables} == {
        "modulation/moments",
        "modulation/steps_left",
        "modulation/band",
    }
    for variable in plain.variables:
        weights[variable.path].assign(array(variable))
    a, b = (keras.tree.flatten(net(images(2))) for net in (plain, model))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(array(x), array(y))


def test_modulated_net_trains_with_the_callback():
    model = tiny("plainnet20", modulation=True)
    model.compile(keras.optimizers.SGD(0.01, 0.9), "mse")
    callback = ModulationCallback(first_steps=1)
    history = model.fit(
        images(), np.zeros((16, 2)), batch_size=8, verbose=0, callbacks=[callback]
    ).history
    assert list(callback.history[0])[:2] == ["stem", "stage1_1"]
    assert np.isfinite(history["loss"]).all()
    assert array(model.get_layer("modulation").steps_left) == 0
