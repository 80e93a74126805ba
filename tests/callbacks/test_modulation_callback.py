import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.callbacks import ModulationCallback
from zoo.errors import ZooError
from zoo.layers import Modulation, ModulationSource


def net(name=None):
    """Three dense units with a point behind each."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((4,))
    token = ModulationSource(["low", "middle", "high"], name="modulation")(inputs)
    for i, unit in enumerate(("low", "middle", "high")):
        x = keras.layers.Dense(4, "tanh", name=unit)(x)
        x, token = Modulation(i, name=f"{unit}_mod")([x, token])
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x), name=name)


def data(n=16):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)).astype("float32"), rng.normal(size=(n, 2)).astype("float32")


def fit(model, callbacks, epochs=2, optimizer=None, **options):
    """Four steps an epoch."""
    if not model.compiled:
        model.compile(optimizer or keras.optimizers.SGD(0.1, 0.9), "mse")
    return model.fit(
        *data(), batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks
    )


def steps_left(model):
    return float(array(model.get_layer("modulation").steps_left))


def test_switches_on_for_the_first_steps_alone():
    on, off, part = net(), net(), net()
    fit(off, [])
    fit(on, [ModulationCallback(first_steps=8, band=1.0)])
    fit(part, [ModulationCallback(first_steps=4, band=1.0)], epochs=1)
    assert steps_left(part) == steps_left(on) == 0
    # After four of the first eight steps, training with and without is the same.
    expected = net()
    fit(expected, [ModulationCallback(first_steps=8, band=1.0)], epochs=1)
    assert steps_left(expected) == 4
    kernels = [array(m.get_layer("low").kernel) for m in (part, expected, on, off)]
    np.testing.assert_allclose(kernels[0], kernels[1], rtol=1e-5)
    assert np.abs(kernels[2] - kernels[3]).max() > 1e-3
    # A model trained this way goes on without the callback, unmodulated.
    fit(part, [], epochs=1)
    assert steps_left(part) == 0


def test_rho_per_point_in_logs_and_history():
    model, callback = net(), ModulationCallback(first_steps=4, band=1.0)
    logs = fit(model, [callback]).history
    assert [set(rho) for rho in callback.history] == [{"low", "middle"}] * 2
    for epoch, rho in enumerate(callback.history):
        values = list(rho.values())
        assert logs["modulation_rho_min"][epoch] == pytest.approx(min(values))
        assert logs["modulation_rho_max"][epoch] == pytest.approx(max(values))
        assert logs["modulation_rho_mean"][epoch] == pytest.approx(np.mean(values))
        assert logs["modulation_outside"][epoch] == 2
    # What was recorded last gives what is told; modulation had ended, nothing was rescaled.
    moments = array(model.get_layer("modulation").moments)
    np.testing.assert_array_equal(moments[:, 0], moments[:, 1])
    np.testing.assert_allclose(
        list(callback.history[-1].values()),
        np.sqrt(moments[1:, 1] / moments[:-1, 0]),
        rtol=1e-5,
    )
    assert fit(net(), [ModulationCallback(band=1e9)]).history["modulation_outside"] == [0, 0]


def test_resume_is_exact(tmp_path):
    """Five of twelve steps modulated, in one go and with a break after the first epoch."""
    whole = net()
    fit(whole, [ModulationCallback(5, 1.0)], epochs=3)
    first = net()
    fit(first, [ModulationCallback(5, 1.0)], epochs=1)
    first.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert steps_left(again) == 1
    fit(again, [ModulationCallback(5, 1.0)], epochs=2)
    for a, b in zip(whole.variables, again.variables, strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-4, atol=1e-6, err_msg=a.path)


def test_accumulated_gradients_count_once():
    model = net()
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    fit(model, [ModulationCallback(first_steps=3)], epochs=1, optimizer=optimizer)
    # Four training steps are two iterations: one is left, of two steps.
    assert steps_left(model) == 2
    fit(model, [ModulationCallback(first_steps=4)], epochs=1)
    assert steps_left(model) == 0


def test_a_net_inside_another_and_two_of_them():
    inputs = keras.Input((4,))
    outer = keras.Model(inputs, keras.layers.Rescaling(2.0)(net("one")(inputs)))
    callback = ModulationCallback(first_steps=3)
    fit(outer, [callback], epochs=1)
    assert steps_left(outer.get_layer("one")) == 0
    assert set(callback.history[0]) == {"low", "middle"}
    both = keras.Model(inputs, keras.layers.Add()([net("one")(inputs), net("two")(inputs)]))
    fit(both, [callback], epochs=1)
    assert set(callback.history[1]) == {"0/low", "0/middle", "1/low", "1/middle"}


def test_bad_input():
    for steps in (-1, 1.5, True):
        with pytest.raises(ZooError, match="first_steps must be an integer"):
            ModulationCallback(steps)
    for band in (0.9, float("nan"), float("inf")):
        with pytest.raises(ZooError, match="band must be"):
            ModulationCallback(band=band)
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ZooError, match=r"no modulation layers.*modulation=True"):
        fit(plain, [ModulationCallback()])


@pytest.mark.parametrize("kind", [keras.optimizers.SGD, zoo.optimizers.SGD])
@pytest.mark.parametrize("swap", [None, False, True])
def test_with_moving_averages_of_the_weights(kind, swap):
    """Keras averages no variable like the moments, and cannot put averages into the model then."""
    if swap and keras.backend.backend() == "jax":
        pytest.skip("Keras's SwapEMAWeights reads arrays that JAX has given away")

    def trained(model, callbacks):
        optimizer = kind(0.1, 0.9, use_ema=True, ema_momentum=0.5)
        swaps = [] if swap is None else [keras.callbacks.SwapEMAWeights(swap_on_epoch=swap)]
        fit(model, [*callbacks, *swaps], optimizer=optimizer)
        model.evaluate(*data(), verbose=0, callbacks=swaps)
        return array(model.get_layer("head").kernel)

    plain = net()
    without = keras.Sequential(
        [keras.Input((4,)), *(plain.get_layer(n) for n in ("low", "middle", "high", "head"))]
    )
    expected = trained(without, [])
    callback = ModulationCallback(first_steps=0)
    np.testing.assert_allclose(trained(net(), [callback]), expected, rtol=1e-5, atol=1e-6)
    assert all(np.isfinite(list(ratios.values())).all() for ratios in callback.history)
