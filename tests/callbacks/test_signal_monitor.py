"""What a monitor logs during fit: values against NumPy, its files after a crash, its cost."""

import csv
import struct
import sys

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from tests.support.helpers import array, run_python
from zoo.callbacks import SignalMonitor, signal_monitor
from zoo.callbacks.signal_log import SignalFile
from zoo.errors import UnknownNameError, ZooError
from zoo.signals import Probe, Tap, identity, layers_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((8, 4)).astype("float32")
Y = RNG.standard_normal((8, 2)).astype("float32")
W = [RNG.standard_normal(s).astype("float32") for s in ((4, 3), (3, 2))]
RATE = 0.05


def linear_net(**options):
    net = keras.Sequential(
        [layers.Dense(n, use_bias=False, name=f"dense{n}") for n in (3, 2)], name="net"
    )
    net.build((None, 4))
    net.set_weights(W)
    net.compile(keras.optimizers.SGD(RATE), "mse", **options)
    return net


def fit(net, monitor, epochs=1, **options):
    """Steps on the whole of X: gradient descent, 4 in each epoch, that take no time."""
    monitor._clock = options.pop("clock", lambda: 0.0)
    x, y = np.tile(X, (4, 1)), np.tile(Y, (4, 1))
    callbacks = [*options.pop("before", []), monitor, *options.pop("after", [])]
    return net.fit(
        x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks, **options
    )


def expected(steps):
    """Signals of the linear net after so many steps of gradient descent, in float64."""
    first, second = (w.astype("float64") for w in W)
    for step in range(steps + 1):
        error = 2 * (X @ first @ second - Y) / Y.size
        below = error @ second.T
        gradients = X.T @ below, (X @ first).T @ error
        if step < steps:
            first, second = first - RATE * gradients[0], second - RATE * gradients[1]
    return {
        "gradient/norm/dense3": np.linalg.norm(gradients[0]),
        "gradient/norm/dense2": np.linalg.norm(gradients[1]),
        "gradient/relative/dense3": np.linalg.norm(gradients[0]) / np.linalg.norm(first),
        "weight/norm/dense2": np.linalg.norm(second),
        "error/moment/dense3": np.mean(below**2),
        "error/moment/dense2": np.mean(error**2),
        "output/moment/dense3": np.mean((X @ first) ** 2),
        "output/mean/dense3": np.mean(X @ first),
        "output/positive/dense3": np.mean(X @ first > 0),
    }


def rows_of(folder):
    with open(folder / "signals.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["step", "key", "value"]
    return [(int(step), key, float(value)) for step, key, value in rows]


def test_values_of_every_signal(tmp_path):
    monitor = SignalMonitor(X, Y, list(signal_monitor.SIGNALS), every=2, folder=tmp_path)
    fit(linear_net(), monitor)
    assert list(monitor.history) == [0, 2, 4]
    for step, values in monitor.history.items():
        assert values.keys() == {f"{s}/dense{n}" for s in signal_monitor.SIGNALS for n in (3, 2)}
        for key, value in expected(step).items():
            np.testing.assert_allclose(values[key], value, rtol=2e-5, err_msg=f"{step} {key}")
    assert rows_of(tmp_path) == [
        (step, key, pytest.approx(value, rel=1e-8))
        for step, values in monitor.history.items()
        for key, value in values.items()
    ]


def test_logs_of_an_epoch_have_the_extremes_over_the_layers():
    monitor = SignalMonitor(X, Y, ["gradient/norm"], every=3)
    history = fit(linear_net(), monitor, epochs=2).history
    assert list(monitor.history) == [0, 3, 6]
    norms = [[expected(n)[f"gradient/norm/dense{i}"] for i in (3, 2)] for n in (3, 6)]
    np.testing.assert_allclose(history["gradient/norm/min"], np.min(norms, 1), rtol=2e-5)
    np.testing.assert_allclose(history["gradient/norm/max"], np.max(norms, 1), rtol=2e-5)


def test_a_training_is_the_same_with_a_monitor():
    def trained(callbacks):
        keras.utils.set_random_seed(0)
        net = keras.Sequential(
            [layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(2)]
        )
        net.build((None, 4))
        net.compile(keras.optimizers.SGD(RATE, momentum=0.9), "mse")
        net.fit(X, Y, batch_size=2, epochs=2, verbose=0, shuffle=False, callbacks=callbacks)
        return [array(v) for v in (*net.variables, *net.optimizer.variables)]

    monitor = SignalMonitor(X, Y, every=1)
    monitor._clock = lambda: 0.0
    for one, other in zip(trained([]), trained([monitor]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(monitor.history) == 9


def test_resume_gives_the_file_of_a_training_in_one_piece(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fit(linear_net(), SignalMonitor(X, Y, every=1, folder=whole), epochs=2)
    net = linear_net()
    fit(net, SignalMonitor(X, Y, every=1, folder=broken))
    state = [array(v) for v in (*net.variables, *net.optimizer.variables)]
    fit(net, SignalMonitor(X, Y, every=1, folder=broken))
    with open(broken / "signals.csv", "a") as file:
        file.write("8,gradient/no")  # the crash

    class Restore(keras.callbacks.Callback):
        """As BackupAndRestore does: in `on_train_begin`, and here after the monitor's."""

        def on_train_begin(self, logs=None):
            variables = (*self.model.variables, *self.model.optimizer.variables)
            for variable, value in zip(variables, state, strict=True):
                variable.assign(value)

    monitor = SignalMonitor(X, Y, every=1, folder=broken)
    fit(linear_net(), monitor, after=[Restore()])
    assert list(monitor.history) == list(range(9))
    assert rows_of(broken) == [
        (step, key, pytest.approx(value, rel=1e-5)) for step, key, value in rows_of(whole)
    ]


def test_resume_within_accumulated_gradients():
    net = linear_net()
    net.compile(keras.optimizers.SGD(RATE, gradient_accumulation_steps=2), "mse")
    fit(net, SignalMonitor(X, Y, every=1), steps_per_epoch=3)
    monitor = SignalMonitor(X, Y, every=1)
    fit(net, monitor, steps_per_epoch=3)
    assert list(monitor.history) == [4, 5, 6]


def test_an_epoch_without_a_probe_is_logged_with_the_last_one_of_the_file(tmp_path):
    net = linear_net()
    fit(net, SignalMonitor(X, Y, every=3, folder=tmp_path), steps_per_epoch=3)
    monitor = SignalMonitor(X, Y, ["gradient/norm", "weight/norm"], every=3, folder=tmp_path)
    history = fit(net, monitor, steps_per_epoch=1).history
    norms = [value for step, key, value in rows_of(tmp_path) if key[:9] == "gradient/" and step]
    assert history["gradient/norm/min"] == [min(norms)]
    assert history["gradient/norm/max"] == [max(norms)]
    assert "weight/norm/max" not in history


def test_a_training_from_the_start_begins_a_new_file(tmp_path):
    for every in (1, 2):
        fit(linear_net(), SignalMonitor(X, Y, every=every, folder=tmp_path))
    assert sorted({step for step, *_ in rows_of(tmp_path)}) == [0, 2, 4]


def test_names_with_commas_and_quotes_survive_the_file(tmp_path):
    file = SignalFile(tmp_path)
    file.begin(0)
    file.add(1, {'a/b/la"yer, one': float("nan"), "a/b/two": 1 / 3})
    file.begin(1)
    (_, key, value), (_, _, third) = rows_of(tmp_path)
    assert key == 'a/b/la"yer, one'
    assert np.isnan(value)
    assert third == pytest.approx(1 / 3, rel=1e-8)


class Clock(keras.callbacks.Callback):
    """Time that passes in steps of training, in evaluations and in probes alone."""

    def __init__(self, monkeypatch, step=1.0, probes=(100.0, 2.0)):
        super().__init__()
        self.now, self.step, self.probes = 0.0, step, list(probes)
        call = Probe.__call__

        def slow(probe, *arguments):
            self.now += self.probes[0]
            self.probes = self.probes[1:] or self.probes
            return call(probe, *arguments)

        monkeypatch.setattr(Probe, "__call__", slow)

    def on_train_batch_begin(self, batch, logs=None):
        self.now += self.step

    def on_test_begin(self, logs=None):
        self.now += 1000.0


def clocked(monitor, clock, epochs, **options):
    fit(linear_net(), monitor, epochs, before=[clock], clock=lambda: clock.now, **options)


def test_the_period_is_stretched_to_the_budget(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    monitor = SignalMonitor(X, Y, every=2, budget=0.26)
    clocked(monitor, clock, epochs=6, validation_data=(X, Y))
    # 2 seconds for 2 steps of 1 second: of 8 steps they are a quarter.
    assert list(monitor.history) == [0, 2, 8, 16, 24]
    assert monitor.period == 8
    told = capsys.readouterr().err
    assert told == (
        "SignalMonitor: a probe takes 2 s, 100.00% of the time of 2 training steps; to stay below "
        "26.00%, probes come every 8 steps from now on.\n"
    )


def test_without_a_budget_the_period_stays(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    monitor = SignalMonitor(X, Y, every=2, budget=None)
    clocked(monitor, clock, epochs=2)
    assert list(monitor.history) == [0, 2, 4, 6, 8]
    told = capsys.readouterr().err
    assert told == "SignalMonitor: a probe takes 2 s, 100.00% of the time of 2 training steps.\n"


def test_a_cheap_probe_is_told_and_not_stretched(monkeypatch, capsys):
    clock = Clock(monkeypatch, probes=[100.0, 0.25])
    monitor = SignalMonitor(X, Y, every=2, budget=0.125)
    clocked(monitor, clock, epochs=2)
    assert list(monitor.history) == [0, 2, 4, 6, 8]
    told = capsys.readouterr().err
    assert told == (
        "SignalMonitor: a probe takes 0.25 s, 12.50% of the time of 2 training steps.\n"
    )


def test_one_slow_probe_does_not_stay_in_the_way(monkeypatch):
    clock = Clock(monkeypatch, probes=[100.0, 4.0, 0.0])
    monitor = SignalMonitor(X, Y, every=1, budget=1.0)
    clocked(monitor, clock, epochs=4)
    # The first step is not timed. On average probes take 4, 4 / 2, 4 / 3, 1, … steps.
    assert list(monitor.history) == [0, 1, 2, 4, *range(6, 17)]
    assert monitor.period == 1


def test_a_trainer_around_a_network(tmp_path):
    """Inputs by name, a network within, half precision, several steps per call."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = keras.Sequential(
            [keras.Input((4,)), layers.Dense(5, name="a", activation="relu"), layers.Dense(3)],
            name="network",
        )
        image = keras.Input((4,), dtype="uint8", name="image")
        trainer = keras.Model({"image": image}, network(layers.Rescaling(1 / 255)(image)))
    finally:
        keras.config.set_dtype_policy(policy)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    several = 1 if keras.backend.backend() == "torch" else 2
    trainer.compile(keras.optimizers.SGD(0.1), loss, steps_per_execution=several)
    x, y = {"image": RNG.integers(0, 256, (16, 4)).astype("uint8")}, np.arange(16) % 3
    monitor = SignalMonitor(x, y, every=3, layers=["a"], folder=tmp_path)
    monitor._clock = lambda: 0.0
    trainer.fit(x, y, batch_size=2, verbose=0, callbacks=[monitor])
    assert list(monitor.history) == ([0, 3, 6] if several == 1 else [0, 4, 6])
    for values in monitor.history.values():
        assert list(values) == ["gradient/norm/network/a", "error/moment/network/a"]
        assert all(np.isfinite(v) and v > 0 for v in values.values())


def test_signals_of_ones_own():
    taps = {"output/largest": Tap("output", lambda z: keras.ops.max(keras.ops.abs(z)))}
    monitor = SignalMonitor(X, Y, taps, every=4)
    fit(linear_net(), monitor)
    assert monitor.history[0]["output/largest/dense3"] == pytest.approx(np.abs(X @ W[0]).max())


def test_a_net_that_diverges_is_logged_to_the_end(tmp_path):
    net = linear_net()
    net.optimizer.learning_rate = 1e30
    monitor = SignalMonitor(X, Y, every=1, folder=tmp_path)
    history = fit(net, monitor).history
    assert not np.isfinite(monitor.history[4]["gradient/norm/dense3"])
    assert not np.isfinite(history["gradient/norm/max"][0])
    assert not np.isfinite(rows_of(tmp_path)[-1][2])


def test_other_processes_write_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(signal_monitor, "is_first", lambda model: False)
    monitor = SignalMonitor(X, Y, every=2, folder=tmp_path, tensorboard=True)
    fit(linear_net(), monitor)
    assert list(monitor.history) == [0, 2, 4]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_no_training(monkeypatch, tmp_path, capsys):
    def full(self, step, values):
        raise OSError("No space left on device")

    monkeypatch.setattr(SignalFile, "add", full)
    monitor = SignalMonitor(X, Y, every=4, folder=tmp_path)
    fit(linear_net(), monitor)
    assert list(monitor.history) == [0, 4]
    assert "step 4 could not be written: No space left" in capsys.readouterr().err


def test_tensorboard(tmp_path):
    monitor = SignalMonitor(X, Y, every=2, folder=tmp_path, tensorboard=True)
    fit(linear_net(), monitor)
    assert scalars(next(tmp_path.glob("events.out.tfevents.*"))) == {
        step: {key: pytest.approx(value, rel=1e-6) for key, value in values.items()}
        for step, values in monitor.history.items()
    }


EVENTS = """
import pathlib, sys
from zoo.callbacks.signal_log import EventFile

before = "tensorflow" in sys.modules
file = EventFile(pathlib.Path(sys.argv[1]))
file.add(1, {"a/b/c": 2.0})
file.close()
assert ("tensorflow" in sys.modules) == before
"""


def test_event_files_import_no_tensorflow(tmp_path):
    done = run_python(EVENTS, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert scalars(next(tmp_path.iterdir())) == {1: {"a/b/c": 2.0}}


def scalars(path):
    """What TensorBoard reads: records of (length, its checksum, an Event, its checksum)."""
    from tensorboard.compat.proto.event_pb2 import Event

    found, data = {}, path.read_bytes()
    while data:
        (size,) = struct.unpack_from("<Q", data)
        event = Event.FromString(data[12 : 12 + size])
        data = data[16 + size :]
        if event.summary.value:
            found[event.step] = {v.tag: v.simple_value for v in event.summary.value}
    return found


def test_without_tensorboard(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(ZooError, match="need the package tensorboard"):
        fit(linear_net(), SignalMonitor(X, Y, folder=tmp_path, tensorboard=True))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"every": 0}, ZooError, "every must be an integer of at least 1"),
        ({"every": True}, ZooError, "every must be an integer of at least 1"),
        ({"budget": 0}, ZooError, r"within \(0, 1\]"),
        ({"budget": 5}, ZooError, r"within \(0, 1\]"),
        ({"tensorboard": True}, ZooError, "needs a folder"),
        ({"signals": "gradient/norm"}, ZooError, "must be a list"),
        ({"signals": []}, ZooError, "at least one"),
        ({"signals": ["gradient/nrom"]}, UnknownNameError, "Did you mean 'gradient/norm'"),
        ({"signals": {"norm": Tap("output", identity)}}, ZooError, "signal/statistic"),
        ({"signals": {"a/b": "output"}}, ZooError, "signal/statistic"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        SignalMonitor(X, Y, **options)


def test_bad_arguments_found_in_fit():
    with pytest.raises(UnknownNameError, match="dense9"):
        fit(linear_net(), SignalMonitor(X, Y, layers=["dense9"]))
    with pytest.raises(ZooError, match=r"a monitor logs scalars"):
        fit(linear_net(), SignalMonitor(X, Y, {"output/raw": Tap("output", identity)}))


def test_moments_of_modulation_are_no_kernel():
    net = zoo.create("plainnet20", width=2, modulation=True)
    names = list(layers_of(net).values())
    assert len(names) == 20
    assert all(name.endswith(("_conv", "_dense")) for name in names)
