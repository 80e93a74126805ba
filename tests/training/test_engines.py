"""Engines: the same training on any number of devices and processes, and what is refused."""

import dataclasses
import json
import signal

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.support import toy
from tests.support.programs import finish, pair, signal_at, start
from training import engines
from training.engines import Engine, Options
from training.state import states

BACKEND = keras.backend.backend()
jax_only = pytest.mark.skipif(BACKEND != "jax", reason="an engine of JAX")
tensorflow_only = pytest.mark.skipif(BACKEND != "tensorflow", reason="an engine of TensorFlow")


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    if BACKEND == "torch":
        pytest.skip("Keras trains on one device there")
    run = tmp_path_factory.mktemp("one")
    finish(start(run, name="proof"))
    return run


def assert_equal(run, other, tolerance: float = 1e-5) -> None:
    """Every weight, statistic, momentum and modulation moment; the figures of the log, too."""
    ours, theirs = load_file(states(run)[0]), load_file(states(other)[0])
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_allclose(ours[key], theirs[key], atol=tolerance, rtol=1e-5, err_msg=key)
    rows = [json.loads((r / "log.json").read_text())[-1] for r in (run, other)]
    for key in ("loss", "accuracy", "test_accuracy", "test_cross_entropy", "modulation_rho_mean"):
        assert rows[0][key] == pytest.approx(rows[1][key], abs=1e-5), key


@pytest.mark.release
@tensorflow_only
def test_two_replicas_of_mirrored_strategy(one_device, tmp_path):
    finish(start(tmp_path, "--strategy=mirrored", "--devices=2", name="proof"))
    assert_equal(tmp_path, one_device)


@jax_only
def test_four_devices(one_device, tmp_path):
    finish(start(tmp_path, "--strategy=jax", "--devices=4", name="proof"))
    assert_equal(tmp_path, one_device)


@pytest.mark.release
@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there")
def test_two_processes(one_device, tmp_path):
    chief, other = pair("tests.support.toy", "proof", "--run", str(tmp_path))
    finish(chief)
    finish(other)
    assert_equal(tmp_path, one_device)


@pytest.mark.release
@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there")
def test_a_worker_is_killed_and_the_pair_started_again(tmp_path):
    """Within an epoch, of which a state is saved at every step."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start(whole, "epochs=3"))
    words = ("tests.support.toy", "toy", "epochs=3", "--checkpoint-minutes=0", "--run", str(broken))
    chief, other = pair(*words)
    for line in chief.stdout:
        if line.startswith("Epoch 2/"):
            other.send_signal(signal.SIGKILL)
            break
    output = finish(chief, code=75)
    assert "another process of this training has gone" in output
    assert "they go on from the last state" in output
    other.read()
    chief, other = pair(*words)
    assert "Going on after epoch" in finish(chief)
    finish(other)
    ours, theirs = load_file(states(broken)[0]), load_file(states(whole)[0])
    for key in theirs:
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-5, rtol=1e-5, err_msg=key)


@pytest.mark.release
@pytest.mark.skipif(BACKEND == "torch", reason="Keras trains on one device there")
def test_resume_on_another_number_of_devices(tmp_path):
    """Two epochs on one device, stopped in the third, ended on two devices."""
    process = start(tmp_path / "run", "--checkpoint-minutes=0")
    signal_at("Epoch 3/", process, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    strategy = {"jax": "jax", "tensorflow": "mirrored"}[BACKEND]
    output = finish(start(tmp_path / "run", f"--strategy={strategy}", "--devices=2"))
    assert "2 device(s)" in output
    assert "Going on after epoch 2" in output
    finish(start(tmp_path / "whole"))
    ours, theirs = (load_file(states(tmp_path / r)[0]) for r in ("run", "whole"))
    for key in theirs:
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-5, rtol=1e-5, err_msg=key)


def changed(**settings):
    return dataclasses.replace(toy.RECIPE, **settings)


@pytest.mark.parametrize("name", ["mirrored", "multiworker", "tpu"])
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"accumulate": 2}, "Keras updates under a condition"),
        ({"clip_norm": 1.0}, "clips the gradient of each replica"),
        ({"pipeline": "memory"}, "takes pipeline=tfdata"),
        ({"batch_size": 15}, "must be a multiple"),
    ],
)
def test_what_tensorflow_engines_refuse(name, settings, reason):
    engine = Engine(name, parts=2, mine=(0, 1), devices=2)
    engines.check(engine, changed())
    with pytest.raises(ValueError, match=reason):
        engines.check(engine, changed(**settings))


def test_what_jax_can_do():
    engine = Engine("jax", parts=1, devices=4)
    engines.check(engine, changed(accumulate=2, clip_norm=1.0))
    with pytest.raises(ValueError, match="multiple of the 4 devices"):
        engines.check(engine, changed(accumulate=8))
    with pytest.raises(ValueError, match="multiple of accumulate=3"):
        engines.check(Engine(), changed(accumulate=3))


def test_tpus_compute_in_bfloat16():
    with pytest.raises(ValueError, match="mixed_bfloat16"):
        engines.check(Engine("tpu"), changed(dtype="mixed_float16"))


@pytest.mark.parametrize("name", ["mirrored", "multiworker", "tpu", "jax"])
def test_an_engine_of_another_backend_is_refused(name):
    if ("jax" if name == "jax" else "tensorflow") == BACKEND:
        pytest.skip("its own backend")
    with pytest.raises(ValueError, match="runs on KERAS_BACKEND="):
        engines.start(Options(name))


def test_bad_places(monkeypatch):
    with pytest.raises(ValueError, match="strategy must be one of"):
        engines.start(Options("horovod"))
    with pytest.raises(ValueError, match="belong to --strategy jax"):
        engines.start(Options("none", processes=2))
    if BACKEND == "tensorflow":
        monkeypatch.delenv("TF_CONFIG", raising=False)
        with pytest.raises(ValueError, match="needs TF_CONFIG"):
            engines.start(Options("multiworker"))
        with pytest.raises(ValueError, match="no TPU answers as 'nowhere'"):
            engines.start(Options("tpu", tpu="nowhere"))
    if BACKEND == "jax":
        with pytest.raises(ValueError, match="needs --processes and --process"):
            engines.start(Options("jax", coordinator="127.0.0.1:1"))
