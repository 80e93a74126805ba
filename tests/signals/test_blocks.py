import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.errors import ZooError
from zoo.signals.blocks import block_change, block_changes


def test_the_mean_over_positions_of_the_norm_over_channels():
    before = np.zeros((1, 2, 1, 2))
    after = before + np.array([3.0, 4.0])
    assert block_change(before, after) == 5
    after[0, 1] = 0
    assert block_change(before, after) == 2.5
    assert block_change(np.stack([before, before]), np.stack([after, before])) == 1.25


def test_blocks_of_a_residual_net_that_add_a_known_amount():
    stage = zoo.layers.ResidualStage(2, 3, order="pre", name="stage")
    inputs = keras.Input((4, 4, 2))
    x = layers.Activation("linear", name="start")(inputs)
    x = layers.MaxPool2D(2, name="pool")(stage(x))
    model = keras.Model(inputs, x)
    # Block i adds i to each of two channels: its last convolution gives nothing but that.
    for i, block in enumerate(stage.blocks, start=1):
        block.residual[2].kernel.assign(np.zeros((3, 3, 2, 2)))
        norm = block.residual[3]
        norm.beta.assign(np.full(2, float(i)))
        kernel = np.zeros((3, 3, 2, 2))
        kernel[1, 1] = np.eye(2)
        block.residual[-1].kernel.assign(kernel)
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 2)).astype("float32")
    wanted = ["stage/block3", "start", "pool", "stage/block1", stage.blocks[1]]
    changes = block_changes(model, x, wanted)
    expected = {f"stage/block{i}": i * np.sqrt(2) for i in (1, 2, 3)}
    assert list(changes) == list(expected)  # in the order of the forward pass
    assert changes == pytest.approx(expected, rel=1e-5)  # nothing at the pooling: another shape


def test_bad_input():
    with pytest.raises(ZooError, match=r"Received: shapes \(2, 3\) and \(2, 4\)"):
        block_change(np.ones((2, 3)), np.ones((2, 4)))
    for shape in ((3,), (0, 3)):
        with pytest.raises(ZooError, match="two arrays of one shape"):
            block_change(np.ones(shape), np.ones(shape))
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, name="a"), layers.Dense(5, name="b")]
    )
    with pytest.raises(ZooError, match=r"Received: a \(2, 4\), b \(2, 5\)"):
        block_changes(model, np.ones((2, 3), "float32"), ["a", "b"])
