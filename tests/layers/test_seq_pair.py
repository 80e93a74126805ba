import json
import math
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.fresh import run_python
from tests.support.helpers import array, gradient, weight_gradients
from zoo.errors import ZooError
from zoo.initializers import SeqContract
from zoo.layers import SeqConvPair2D, SeqDensePair
from zoo.models.deferred import build_without_values, fill

SHAPE = (6, 5, 4)
CONV = [
    {},
    {"tied": True},
    {"tied": True, "expand_size": 1, "contract_size": 3, "pool": True},
    {"tied": True, "expand_size": 1, "expansion": 4},
    {"tied": False, "contract_size": 3, "expand_size": 1, "units": 9},
    {"inner_bias": True, "inner_norm": True, "tied": True, "contract_size": 3, "expand_size": 1},
    {"init": "L", "units": 8, "expansion": 4, "pool": True, "inner_bias": True},
    {"init": "O", "units": 40, "norm": False},
]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def conv_model(**options):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, SeqConvPair2D(name="pair", **options)(inputs))


def shuffled(model):
    """The model with normal weights in place of the initial ones, which have many zeros."""
    for i, v in enumerate(model.trainable_variables):
        v.assign(0.3 * normal(*v.shape, seed=i + 1))
    return model


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("kind", ["tied", "free", "independent"])
def test_scaling_ratios_of_proposition_4_1(k, kind):
    d, n = 128, 512
    pair = SeqDensePair(expansion=k, tied=kind == "tied", norm=False)
    pair.build((None, d))
    if kind == "independent":
        pair.contract.kernel.assign(SeqContract(seed=7)((k * d, d)))
    x, dy = normal(n, d), normal(n, d, seed=1)
    forward = array(pair(x)).var(axis=0).mean()
    backward = gradient(lambda x: ops.sum(ops.multiply(pair(x), dy)), x).var(axis=0).mean()
    start = 0 if kind == "independent" else 1
    np.testing.assert_allclose(forward, start + 2 / k * (1 - 1 / math.pi), rtol=0.05)
    np.testing.assert_allclose(backward, start + 2 / k, rtol=0.05)


@pytest.mark.parametrize(("init", "k"), [("R", 2), ("R", 4), ("L", 2)])
def test_gradients_in_a_chain_of_pairs_grow_at_the_predicted_rate(init, k):
    # By sqrt(R_b / R_f) per pair; independent layers have sqrt(pi / (pi - 1)) = 1.21.
    predicted = 1 if init == "L" else math.sqrt((1 + 2 / k) / (1 + 2 / k * (1 - 1 / math.pi)))
    inputs = keras.Input((128,))
    x = inputs
    for _ in range(20):
        x = SeqDensePair(expansion=k, init=init)(x)
    model = keras.Model(inputs, x)
    x, dy = normal(128, 128), normal(128, 128, seed=1)
    gradients = weight_gradients(model, lambda: ops.sum(ops.multiply(model(x, training=True), dy)))
    norms = [np.linalg.norm(g) for path, g in gradients.items() if "expand" in path]
    rate = math.exp(-np.polyfit(np.arange(19), np.log(norms[1:]), 1)[0])
    np.testing.assert_allclose(rate, predicted, rtol=0.03)


@pytest.mark.parametrize("make", [SeqDensePair, SeqConvPair2D])
@pytest.mark.parametrize("expansion", [2, 4])
@pytest.mark.parametrize("tied", [True, False])
def test_l_is_linear_through_the_relu(make, expansion, tied):
    x = normal(2, *SHAPE)
    pair = make(expansion=expansion, tied=tied, init="L", norm=False)
    np.testing.assert_allclose(array(pair(x)), x if tied else x / 2, atol=1e-5)


def test_added_outputs_of_l_see_only_magnitudes():
    # Their weights are orthogonal to [R; -R], so what is left of ReLU(Rx), ReLU(-Rx) is |Rx|.
    x = normal(2, *SHAPE)
    pair = SeqConvPair2D(8, init="L", norm=False)
    y = array(pair(x))
    np.testing.assert_allclose(y[..., :4], x / 2, atol=1e-5)
    np.testing.assert_allclose(y[..., 4:], array(pair(-x))[..., 4:], atol=1e-5)
    assert np.abs(y[..., 4:]).max() > 0.1


def test_tied_gradient_is_that_of_finite_differences():
    pair = SeqDensePair(tied=True, expansion=3, norm=False)
    x, dy = normal(7, 4), normal(7, 4, seed=1)
    pair.build(x.shape)
    assert len(pair.trainable_variables) == 1

    def loss(w):  # float64
        return (np.maximum(x @ w, 0) @ w.T * dy).sum()

    w = array(pair.expand.kernel)
    expected = np.empty_like(w)
    for i in np.ndindex(*w.shape):
        step = np.zeros_like(w)
        step[i] = 1e-6
        expected[i] = (loss(w + step) - loss(w - step)) / 2e-6
    (got,) = weight_gradients(pair, lambda: ops.sum(ops.multiply(pair(x), dy))).values()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sizes", [(3, 1), (1, 3), (1, 1)])
def test_tied_convolutions_equal_free_ones_and_add_their_gradients(sizes):
    options = {"expand_size": sizes[0], "contract_size": sizes[1], "norm": False}
    tied, free = shuffled(conv_model(tied=True, **options)), conv_model(**options)
    owner = "contract" if sizes == (1, 3) else "expand"
    kernel = array(tied.trainable_variables[0])
    other = kernel[kernel.shape[0] // 2, kernel.shape[1] // 2].T[None, None]
    free_pair = free.get_layer("pair")
    first, second = (kernel, other) if owner == "expand" else (other, kernel)
    free_pair.expand.kernel.assign(first)
    free_pair.contract.kernel.assign(second)

    x, dy = normal(2, *SHAPE), normal(2, *SHAPE, seed=1)
    np.testing.assert_allclose(array(tied(x)), array(free(x)), atol=1e-5)
    (got,) = weight_gradients(tied, lambda: ops.sum(ops.multiply(tied(x), dy))).values()
    parts = weight_gradients(free, lambda: ops.sum(ops.multiply(free(x), dy)))
    expected = parts.pop(f"pair/{owner}/kernel")
    (of_other,) = parts.values()
    expected[kernel.shape[0] // 2, kernel.shape[1] // 2] += of_other[0, 0].T
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


def test_frozen_paths():
    def paths(**options):
        return [
            (v.path.removeprefix("pair/"), tuple(v.shape)) for v in conv_model(**options).weights
        ]

    norm = [(f"norm/{x}", (4,)) for x in ("gamma", "beta", "moving_mean", "moving_variance")]
    inner = [(f"inner_{name}", (8,)) for name, _ in norm]
    expand, contract = ("expand/kernel", (3, 3, 4, 8)), ("contract/kernel", (1, 1, 8, 4))
    assert paths() == [expand, contract, *norm]
    assert paths(tied=True) == [expand, *norm]
    assert paths(tied=True, expand_size=1, contract_size=3) == [
        ("contract/kernel", (3, 3, 8, 4)),
        *norm,
    ]
    everything = paths(inner_bias=True, inner_norm=True)
    assert sorted(everything) == sorted([expand, contract, *norm, *inner, ("inner_bias", (8,))])


@pytest.mark.parametrize("options", CONV)
def test_shapes_clone_and_half_precision(options):
    model = shuffled(conv_model(**options))
    x = normal(2, *SHAPE)
    y = array(model(x))
    assert model.output_shape == (None, *y.shape[1:])
    assert y.shape[1:3] == ((3, 3) if options.get("pool") else SHAPE[:2])
    clone = keras.models.clone_model(model)
    assert clone.count_params() == model.count_params()
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(array(clone(x)), y, atol=1e-5)
    half = conv_model(dtype="mixed_bfloat16", **options)
    assert {v.dtype for v in half.variables} == {"float32"}
    half.set_weights(model.get_weights())
    z = half(x)
    assert keras.backend.standardize_dtype(z.dtype) == "bfloat16"
    np.testing.assert_allclose(array(z), y, atol=0.05 * np.abs(y).max())


def test_one_compiled_step_changes_every_weight():
    x = inputs = keras.Input(SHAPE)
    for options in CONV[:6]:
        x = SeqConvPair2D(**options)(x)
    x = SeqDensePair(tied=True)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, SeqDensePair(5, expansion=3, inner_bias=True)(x))
    before = [array(v) for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(normal(8, *SHAPE), normal(8, 5), batch_size=8, verbose=0)
    for v, old in zip(model.trainable_variables, before, strict=True):
        # A batch normalization takes away what a bias right before it adds.
        if not v.path.endswith("inner_bias"):
            assert np.abs(array(v) - old).max() > 0, v.path


def test_still_tied_in_a_fresh_process(tmp_path):
    x = inputs = keras.Input(SHAPE)
    for options in CONV[1:3]:
        x = SeqConvPair2D(weight_decay=1e-4, orthogonal=1e-4, **options)(x)
    model = shuffled(keras.Model(inputs, SeqDensePair(tied=True, norm=False, name="dense")(x)))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    x = normal(2, *SHAPE)
    np.savez(tmp_path / "io.npz", x=x, y=array(model(x)))
    result = run_python(
        "import sys, keras, zoo, numpy as np\n"
        "folder = sys.argv[1]\n"
        "model = keras.saving.load_model(folder + '/model.keras')\n"
        "io = np.load(folder + '/io.npz')\n"
        "def check(factor):\n"
        "    y = keras.ops.convert_to_numpy(model(io['x']))\n"
        "    np.testing.assert_allclose(y, factor * io['y'], rtol=1e-4, atol=1e-4)\n"
        "check(1)\n"
        "kernel = model.get_layer('dense').expand.kernel\n"
        "kernel.assign(2 * kernel)\n"
        "check(4)\n"  # both uses see it
        "model.load_weights(folder + '/model.weights.h5')\n"
        "check(1)\n"
        "print('tied', len(model.trainable_variables), len(model.losses))\n",
        str(tmp_path),
    )
    assert f"tied {len(model.trainable_variables)} {len(model.losses)}" in result.stdout, (
        result.stderr
    )


@pytest.mark.parametrize("init", ["R", "O", "L"])
def test_free_kernel_starts_as_the_transpose_however_it_is_built(init):
    def check(model):
        pair = model.get_layer("pair")
        w, m = array(pair.expand.kernel)[1, 1], array(pair.contract.kernel)[0, 0]
        assert np.abs(w).max() > 0.1
        np.testing.assert_allclose(m[:, :4], (0.5 if init == "L" else 1) * w.T, atol=1e-6)
        return w

    model = conv_model(init=init, units=6)
    w = check(model)
    assert np.abs(check(keras.models.clone_model(model)) - w).max() > 0.01  # a new draw
    check(keras.Model.from_config(model.get_config()))
    waiting = build_without_values(lambda: conv_model(init=init, units=6))
    fill(waiting, {})
    check(waiting)
    keras.utils.set_random_seed(3)
    first = check(conv_model(init=init, units=6))
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(check(conv_model(init=init, units=6)), first)
    seeded = [check(conv_model(init=init, units=6, seed=5)) for _ in range(2)]
    np.testing.assert_array_equal(*seeded)


def test_regularizers():
    def losses(**options):
        model = shuffled(conv_model(**options))
        return {v.path: array(v) for v in model.trainable_variables}, [
            float(array(x)) for x in model.losses
        ]

    weights, values = losses(weight_decay=0.2)
    kernels = [weights["pair/expand/kernel"], weights["pair/contract/kernel"]]
    decay = [0.1 * (w**2).sum() for w in kernels]
    np.testing.assert_allclose(values, decay, rtol=1e-5)

    gram = kernels[1][0, 0].T @ kernels[1][0, 0]
    orthogonal = 0.3 * ((4 / np.trace(gram) * gram - np.eye(4)) ** 2).sum()
    np.testing.assert_allclose(losses(orthogonal=0.3)[1], [orthogonal], rtol=1e-4)
    np.testing.assert_allclose(
        losses(weight_decay=0.2, orthogonal=0.3)[1], [decay[0], decay[1] + orthogonal], rtol=1e-4
    )
    assert losses(tied=True, orthogonal=0.3)[1] == []  # a tied 3x3 kernel is not 1x1
    weights, values = losses(tied=True, orthogonal=0.3, orthogonal_on="pairs")
    (kernel,) = (w for path, w in weights.items() if path.endswith("kernel"))
    gram = kernel[1, 1] @ kernel[1, 1].T  # the matrix of the pair is its centre tap
    wanted = 0.3 * ((4 / np.trace(gram) * gram - np.eye(4)) ** 2).sum()
    np.testing.assert_allclose(values, [wanted], rtol=1e-4)


def test_independent_kernels():
    """The paper's negative control: M has the distribution of W^T, and nothing else of it."""
    pair = conv_model(independent=True, seed=3).get_layer("pair")
    w, m = array(pair.expand.kernel)[1, 1], array(pair.contract.kernel)[0, 0]
    assert abs(np.corrcoef(w.T.ravel(), m.ravel())[0, 1]) < 0.5
    with pytest.raises(ZooError, match="independent=True needs tied=False"):
        SeqConvPair2D(tied=True, independent=True)
    with pytest.raises(ZooError, match="orthogonal_on must be one of"):
        SeqConvPair2D(orthogonal_on="ones")


def test_own_multiply_adds():
    def macs(pair, shape):
        pair.build(shape)
        return pair.own_multiply_adds()

    conv = (None, 6, 5, 4)
    assert macs(SeqConvPair2D(), conv) == 0
    assert macs(SeqConvPair2D(tied=True), conv) == 6 * 5 * 4 * 8
    assert macs(SeqConvPair2D(tied=True, pool=True), conv) == 3 * 3 * 4 * 8
    back = {"expand_size": 1, "contract_size": 3}
    assert macs(SeqConvPair2D(tied=True, pool=True, **back), conv) == 6 * 5 * 4 * 8
    assert macs(SeqDensePair(tied=True, expansion=3), (None, 4)) == 4 * 12
    with pytest.raises(ValueError, match="not known"):
        macs(SeqConvPair2D(tied=True), (None, None, None, 4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SeqDensePair(expansion=1), "at least 2. Received: expansion=1"),
        (lambda: SeqDensePair(expansion=2.5), "expansion must be an integer"),
        (lambda: SeqDensePair(0), "units must be an integer of at least 1. Received: units=0"),
        (lambda: SeqDensePair(init="X"), "one of 'R', 'O', 'L'"),
        (lambda: SeqDensePair(5, tied=True).build((None, 4)), "inputs=4, outputs=5"),
        (lambda: SeqConvPair2D(expand_size=3, contract_size=3), "at least one of them 1"),
        (lambda: SeqConvPair2D(expand_size=2), "must be odd"),
        (lambda: SeqDensePair(expansion=3, init="L").build((None, 5)), "even number"),
        (lambda: SeqDensePair(weight_decay=-1e-4), "weight_decay must be a number of at least 0"),
        (lambda: SeqDensePair().build((None, None)), "a known size"),
        (lambda: SeqDensePair(dtype="int8_from_float32"), "dtype='int8_from_float32'"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ZooError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("tied", [True, False])
def test_quantization_leaves_pairs_in_floating_point_and_says_so(tied, tmp_path):
    inputs = keras.Input((8,))
    x = keras.layers.Dense(8, name="first")(inputs)
    x = SeqDensePair(tied=tied, name="pair")(x)
    model = keras.Model(inputs, keras.layers.Dense(4, name="last")(x))
    x = normal(16, 8)
    before = array(model(x))
    with pytest.warns(UserWarning, match="pair/expand stays in floating point"):
        model.quantize("int8")
    assert model.get_layer("last").kernel.dtype == "int8"
    after = array(model(x))
    np.testing.assert_allclose(after, before, atol=0.05 * np.abs(before).max())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array(again(x)), after, atol=1e-5)


def test_numpy_scalars_and_words():
    pair = SeqConvPair2D(
        np.int64(6),
        np.int32(4),
        init="linear",
        expand_size=np.int64(1),
        contract_size=np.int16(3),
        weight_decay=np.float32(0.5),
        pool=np.bool_(True),
        seed=np.int64(3),
    )
    config = json.loads(json.dumps(pair.get_config()))
    expected = {"units": 6, "init": "L", "contract_size": 3, "weight_decay": 0.5, "seed": 3}
    assert expected.items() <= config.items()
