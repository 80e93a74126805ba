import keras
import numpy as np
import pytest

from tests.support.helpers import array, gradient
from zoo.initializers import Orthonormal
from zoo.regularizers import OrthonormalRegularizer, ScaledOrthogonalRegularizer

SHAPES = [(12, 5), (6, 6), (4, 11), (3, 3, 2, 40), (3, 3, 8, 16)]


def direct(w, strength, groups):
    """The formula and its gradient, 2 * strength * W (W^T W - I), in float64."""
    shape, w = w.shape, w.astype("float64").reshape(-1, w.shape[-1])
    fan_in, out = w.shape
    value, grad = 0.0, np.zeros_like(w)
    step = fan_in if groups else out
    for start in range(0, out, step):
        part = w[:, start : start + step]
        deviation = part.T @ part - np.eye(part.shape[1])
        value += strength / 2 * (deviation**2).sum()
        grad[:, start : start + step] = 2 * strength * part @ deviation
    return value, grad.reshape(shape)


@pytest.mark.parametrize("groups", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradient_equal_the_direct_formula(shape, groups):
    w = np.random.default_rng(0).normal(size=shape, scale=0.5).astype("float32")
    regularizer = OrthonormalRegularizer(0.01, groups=groups)
    value, grad = direct(w, 0.01, groups)
    np.testing.assert_allclose(array(regularizer(keras.ops.convert_to_tensor(w))), value, rtol=1e-5)
    np.testing.assert_allclose(
        gradient(regularizer, w), grad, rtol=1e-4, atol=1e-5 * np.abs(grad).max()
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_near_orthonormality_no_digits_are_lost(shape):
    w = array(Orthonormal(seed=0)(shape, dtype="float32"))
    w = (w + 1e-3 * np.random.default_rng(0).normal(size=shape)).astype("float32")
    value, grad = direct(w, 1.0, groups=True)
    np.testing.assert_allclose(
        array(OrthonormalRegularizer(1.0)(keras.ops.convert_to_tensor(w))), value, rtol=1e-3
    )
    np.testing.assert_allclose(
        gradient(OrthonormalRegularizer(1.0), w), grad, atol=1e-2 * np.abs(grad).max()
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_minimum_is_at_the_initializer(shape):
    w = Orthonormal(seed=0)(shape, dtype="float32")
    assert array(OrthonormalRegularizer(1.0)(w)) < 1e-9
    fan_in, out = int(np.prod(shape[:-1])), shape[-1]
    w_plain = array(keras.initializers.Orthogonal(seed=0)(shape))  # orthonormal rows
    value = array(OrthonormalRegularizer(2.0, groups=False)(keras.ops.convert_to_tensor(w_plain)))
    np.testing.assert_allclose(value, max(out - fan_in, 0), atol=1e-4)


def test_half_precision_kernels_are_summed_in_float32():
    w = keras.ops.cast(Orthonormal(seed=0)((64, 64)), "float16")
    result = OrthonormalRegularizer(1.0)(w)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert array(result) < 1e-2


BOTH = pytest.mark.parametrize("kind", [OrthonormalRegularizer, ScaledOrthogonalRegularizer])


@BOTH
@pytest.mark.parametrize("bad", [-1e-4, float("nan")])
def test_refuses_a_negative_strength(kind, bad):
    with pytest.raises(ValueError, match="strength must be a number of at least 0"):
        kind(bad)


@BOTH
def test_refuses_vectors(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__} needs a kernel of at least two dim"):
        kind()(keras.ops.ones((4,)))


def scaled(w, strength):
    """The scaled formula in float64, and its gradient with the trace as a constant."""
    shape, w = w.shape, w.astype("float64").reshape(-1, w.shape[-1])
    tall = w if w.shape[0] >= w.shape[1] else w.T
    gram = tall.T @ tall
    factor = len(gram) / np.trace(gram)
    deviation = factor * gram - np.eye(len(gram))
    grad = 4 * strength * factor * tall @ deviation
    return strength * (deviation**2).sum(), (grad if tall is w else grad.T).reshape(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_scaled_value_and_gradient_equal_the_formula(shape):
    w = np.random.default_rng(0).normal(size=shape).astype("float32")
    value, grad = scaled(w, 0.01)
    regularizer = ScaledOrthogonalRegularizer(0.01)
    np.testing.assert_allclose(array(regularizer(keras.ops.convert_to_tensor(w))), value, rtol=1e-4)
    np.testing.assert_allclose(
        gradient(regularizer, w), grad, rtol=1e-3, atol=1e-4 * np.abs(grad).max()
    )


def test_scaled_is_free_of_scale_and_zero_when_orthogonal():
    w = np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype("float32")
    regularizer = ScaledOrthogonalRegularizer(1.0)
    values = [array(regularizer(keras.ops.convert_to_tensor(c * w))) for c in (1.0, 7.0, 0.01)]
    np.testing.assert_allclose(values, values[0], rtol=1e-4)
    assert array(regularizer(Orthonormal(5.0, seed=0)((3, 3, 4, 8), dtype="float32"))) < 1e-8
    assert array(regularizer(keras.ops.zeros((4, 6)))) == pytest.approx(4)
    # With the trace's own part, the gradient has nothing along the kernel: scale is free.
    free = ScaledOrthogonalRegularizer(1.0, constant_trace=False)
    grad = gradient(free, w)
    assert abs((grad * w).sum()) < 1e-3 * np.linalg.norm(grad) * np.linalg.norm(w)


def test_serialization():
    config = keras.regularizers.serialize(OrthonormalRegularizer(0.5, groups=False))
    again = keras.regularizers.deserialize(config)
    assert (again.strength, again.groups) == (0.5, False)
    config = keras.regularizers.serialize(ScaledOrthogonalRegularizer(0.5, constant_trace=False))
    again = keras.regularizers.deserialize(config)
    assert (again.strength, again.constant_trace) == (0.5, False)
