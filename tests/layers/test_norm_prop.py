import keras
import numpy as np
import pytest

from tests.support.fresh import run_python
from tests.support.helpers import array, gradient
from zoo.errors import ZooError
from zoo.layers import CReLU, NormPropActivation, NormPropConv2D, SymmetricConv2D


def images(n=2, side=6, channels=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, side, side, channels)).astype("float32")


def conv(channels=3, **kwargs):
    layer = NormPropConv2D(4, 3, **kwargs)
    layer.build((None, 6, 6, channels))
    return layer


@pytest.mark.parametrize("nonlinearity", ["relu", "crelu"])
def test_gaussian_input_keeps_mean_and_variance(nonlinearity):
    """Version 1 on orthonormal filters and x ~ N(0, 1): again mean 0 and variance 1."""
    x = np.random.default_rng(0).normal(size=(2000, 3, 3, 8)).astype("float32")
    layer = NormPropConv2D(
        8, 1, initial_scale=1.0, kernel_initializer=keras.initializers.Orthogonal(3.0)
    )
    y = array(NormPropActivation(nonlinearity)(layer(x)))
    assert y.shape == (2000, 3, 3, 16 if nonlinearity == "crelu" else 8)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=0.03)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=0.05)


@pytest.mark.parametrize("strides", [1, 2])
def test_is_the_convolution_with_each_filter_at_norm_1(strides):
    layer = conv(strides=strides, bias_initializer="random_normal")
    layer.gamma.assign([1.0, 2.0, -1.0, 0.5])
    kernel = array(layer.kernel)
    plain = SymmetricConv2D(4, 3, strides=strides)
    plain.build((None, 6, 6, 3))
    norms = [np.linalg.norm(kernel[..., i]) for i in range(4)]
    plain.set_weights([kernel / norms * array(layer.gamma), array(layer.bias)])
    np.testing.assert_allclose(array(layer(images())), array(plain(images())), atol=1e-5)


def test_the_scale_of_each_filter_does_not_matter():
    layer = conv(use_bias=False)
    y = array(layer(images()))
    layer.kernel.assign(array(layer.kernel) * np.array([1e-9, 0.1, 7.0, 1e9]))
    np.testing.assert_allclose(array(layer(images())), y, rtol=1e-4, atol=1e-5)


def test_versions():
    trainable = conv()
    assert [v.name for v in trainable.trainable_variables] == ["kernel", "bias", "gamma"]
    np.testing.assert_allclose(array(trainable.gamma), 1 / 1.21, rtol=1e-6)
    trainable = conv(initial_scale=1.0)
    np.testing.assert_array_equal(array(trainable.gamma), 1)
    fixed = conv(scale=1 / 1.21, use_bias=False)
    assert [v.name for v in fixed.variables] == ["kernel"]
    fixed.kernel.assign(array(trainable.kernel))
    np.testing.assert_allclose(
        array(fixed(images())) * 1.21, array(trainable(images())), rtol=1e-4, atol=1e-5
    )


def test_a_filter_of_zeros_gives_the_bias_and_a_finite_gradient():
    layer = conv(bias_initializer="ones")
    kernel = array(layer.kernel).astype("float32")
    kernel[..., 1] = 0
    layer.kernel.assign(kernel)
    np.testing.assert_array_equal(array(layer(images()))[..., 1], 1)
    x = keras.ops.convert_to_tensor(images())
    g = gradient(lambda k: keras.ops.sum(layer.convolution_op(x, k) ** 3), kernel)
    assert np.isfinite(g).all()
    # Filters of norm 1 do not change along themselves.
    np.testing.assert_allclose((g * kernel).sum((0, 1, 2)), 0, atol=1e-2)
    assert np.abs(g[..., 0]).max() > 0.1


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    layer, half = conv(), conv(dtype=policy)
    # float16 would round these kernels to zero.
    half.set_weights([layer.get_weights()[0] * 1e-9, *layer.get_weights()[1:]])
    y = half(images())
    assert keras.backend.standardize_dtype(y.dtype) == half.compute_dtype
    np.testing.assert_allclose(array(y), array(layer(images())), atol=0.05)


def net():
    x = inputs = keras.Input((6, 6, 3))
    for i, layer in enumerate([conv(), conv(8, scale=0.5, strides=2)]):
        x = NormPropActivation(["crelu", "relu"][i])(layer(x))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))


def test_trained_saved_and_cloned(tmp_path):
    model = net()
    before = [array(v) for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(images(8), np.ones((8, 4)), verbose=0)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.abs(array(variable) - value).max() > 0, variable.path
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(array(clone(images())), array(model(images())), atol=1e-6)
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "y.npy", array(model(images())))
    done = run_python(
        "import sys, keras, numpy as np, zoo\n"
        "model = keras.saving.load_model(sys.argv[1] + '/m.keras')\n"
        "x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype('float32')\n"
        "y = model.predict(x, verbose=0)\n"
        "np.testing.assert_allclose(y, np.load(sys.argv[1] + '/y.npy'), atol=1e-5)\n",
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_activation_is_the_affine_image_of_relu():
    x = images()
    y, z = array(NormPropActivation()(x)), array(NormPropActivation("crelu")(x))
    slope, shift = 1 / np.sqrt(0.5 - 0.5 / np.pi), 1 / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(y, (np.maximum(x, 0) - shift) * slope, atol=1e-5)
    np.testing.assert_allclose(z, (array(CReLU()(x)) - shift) * slope, atol=1e-5)


def test_bad_arguments():
    for scale in (0, -1.0, float("nan"), float("inf"), None, True, "fixed"):
        with pytest.raises(ZooError, match="'trainable' or a number above 0"):
            NormPropConv2D(4, 3, scale=scale)
    with pytest.raises(ZooError, match=r"'relu' or 'crelu'.*'tanh'"):
        NormPropActivation("tanh")
