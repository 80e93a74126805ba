import re

import keras
import numpy as np
import pytest

from tests.support.helpers import array
from zoo.initializers import SeqContract, SeqExpand


def pair(init, inputs=6, hidden=24, outputs=None, seed=1):
    """W: (hidden, inputs) and M: (hidden, outputs)."""
    w = array(SeqExpand(init, seed)((inputs, hidden))).T
    m = array(SeqContract(init, inputs, seed=seed)((hidden, outputs or inputs)))
    return w, m


@pytest.mark.parametrize("init", ["R", "O", "L"])
@pytest.mark.parametrize("outputs", [6, 12, 24, 40, 4])
def test_both_kernels_start_as_the_same_matrix(init, outputs):
    w, m = pair(init, outputs=outputs)
    np.testing.assert_allclose(m[:, :6], w[:, :outputs], atol=1e-6)


def test_r_is_normal_with_variance_2_over_hidden():
    w, m = pair("R", 100, 400, 200)
    for x in (w, m):
        np.testing.assert_allclose(x.std(), np.sqrt(2 / 400), rtol=0.02)
        assert abs(x.mean()) < 0.002
    assert abs((m[:, :100] * m[:, 100:]).mean()) < 1e-4  # further columns are new ones


def test_o_has_orthogonal_columns():
    w, m = pair("O", outputs=24)
    np.testing.assert_allclose(w.T @ w, 2 * np.eye(6), atol=1e-5)
    np.testing.assert_allclose(m.T @ m, 2 * np.eye(24), atol=1e-5)


def test_l_is_a_matrix_and_its_negative():
    w, m = pair("L", outputs=24)
    np.testing.assert_array_equal(w[:12], -w[12:])
    np.testing.assert_allclose(w[:12].T @ w[:12], np.eye(6), atol=1e-5)
    np.testing.assert_allclose(m.T @ m, 2 * np.eye(24), atol=1e-5)


@pytest.mark.parametrize("init", ["O", "L"])
def test_more_outputs_than_hidden_channels_are_orthogonal_in_groups(init):
    _, m = pair(init, outputs=40)
    np.testing.assert_allclose(m[:, :24].T @ m[:, :24], 2 * np.eye(24), atol=1e-5)
    np.testing.assert_allclose(m[:, 24:].T @ m[:, 24:], 2 * np.eye(16), atol=1e-5)


@pytest.mark.parametrize("init", ["R", "O", "L"])
def test_only_the_centre_tap_is_filled(init):
    kernel = array(SeqExpand(init, 1)((3, 5, 6, 24)))
    np.testing.assert_allclose(kernel[1, 2], pair(init)[0].T)
    kernel[1, 2] = 0
    assert not kernel.any()
    np.testing.assert_allclose(
        array(SeqContract(init, gain=0.5, seed=1)((1, 1, 24, 6)))[0, 0], pair(init)[1] / 2
    )


def test_seeds():
    shape = (4, 8)
    np.testing.assert_array_equal(array(SeqExpand(seed=1)(shape)), array(SeqExpand(seed=1)(shape)))
    keras.utils.set_random_seed(5)
    first, second = array(SeqExpand()(shape)), array(SeqExpand()(shape))
    assert np.abs(first - second).max() > 0.01
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(array(SeqExpand()(shape)), first)


@pytest.mark.parametrize(
    ("initializer", "shape"),
    [(SeqExpand("L", 3), (3, 3, 4, 8)), (SeqContract("O", 4, 0.5, 3), (8, 6))],
)
def test_serialization(initializer, shape):
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    np.testing.assert_array_equal(array(again(shape)), array(initializer(shape)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SeqExpand("X"), "one of 'R', 'O', 'L'. Received: init='X'"),
        (lambda: SeqExpand()((5,)), "odd sizes"),
        (lambda: SeqExpand()((2, 2, 4, 8)), "odd sizes"),
        (lambda: SeqExpand("O")((4, 3)), "inputs=4, hidden=3"),
        (lambda: SeqExpand("L")((4, 9)), "even number of hidden channels"),
        (lambda: SeqContract("L")((6, 4)), "at least 2 * inputs"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("word", "letter"), [("random", "R"), ("orthogonal", "O"), ("linear", "L")]
)
def test_words_are_the_papers_letters(word, letter):
    kernel = SeqExpand(word, seed=3)
    assert kernel.get_config() == {"init": letter, "seed": 3}
    np.testing.assert_array_equal(array(kernel((4, 8))), array(SeqExpand(letter, 3)((4, 8))))
    assert SeqContract(word).init == letter
