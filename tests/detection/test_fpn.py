"""The pyramid against NumPy, on the levels that backbones have."""

import keras
import numpy as np
import pytest

import zoo
from tests.support.helpers import array
from zoo.detection.fpn import STRIDES, feature_pyramid, levels_of
from zoo.detection.head_factory import HeadFactory
from zoo.errors import ZooError

SIZE = (128, 64)


def backbone(channels=2, levels=(2, 3, 4, 5), short=0, size=SIZE):
    """Mean pools of an image, one level each; `short` pixels are cut off at the borders."""
    image = keras.Input((*size, channels))
    outputs = {}
    for level in levels:
        x = keras.layers.AveragePooling2D(2**level, name=f"pool{level}")(image)
        outputs[f"P{level}"] = keras.layers.Cropping2D(((0, short), (0, short)))(x)
    return keras.Model(image, outputs, name="pools")


def pyramid(body, filters=2, norm="none"):
    return feature_pyramid(body, SIZE, filters=filters, factory=HeadFactory(norm))


def pass_through(model):
    """Kernels that leave every channel as it is."""
    for v in model.weights:
        value = np.zeros(v.shape)
        if v.path.endswith("kernel"):
            value[v.shape[0] // 2, v.shape[1] // 2] = np.eye(*v.shape[2:])
        v.assign(value)
    return model


def up(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def image(n=2, channels=2):
    return np.random.default_rng(0).normal(size=(n, *SIZE, channels)).astype("float32")


def test_sums_of_all_levels_above():
    body = backbone()
    levels = body(image())
    maps = [array(x) for x in pass_through(pyramid(body))(levels)]
    assert [x.shape[1:3] for x in maps] == [(SIZE[0] // s, SIZE[1] // s) for s in STRIDES]
    expected = array(levels["P5"])
    np.testing.assert_allclose(maps[3], expected, atol=1e-6)
    np.testing.assert_allclose(maps[4], expected[:, ::2, ::2], atol=1e-6)
    for i, level in ((2, "P4"), (1, "P3"), (0, "P2")):
        expected = array(levels[level]) + up(expected)
        np.testing.assert_allclose(maps[i], expected, atol=1e-5)


@pytest.mark.parametrize("levels", [(0, 1, 2), (1, 2, 3), (2, 3, 4)])
def test_levels_that_the_backbone_lacks_are_every_second_pixel(levels):
    body = backbone(levels=levels)
    known = [level for level in levels if level >= 2]
    assert levels_of(body) == [f"P{level}" for level in known]
    outputs = body(image())
    model = pass_through(pyramid(body))
    maps = [array(x) for x in model({name: outputs[name] for name in levels_of(body)})]
    for level in range(known[-1] + 1, 7):
        np.testing.assert_array_equal(maps[level - 2], maps[level - 3][:, ::2, ::2])
    assert {v.path.partition("/")[0] for v in model.weights} == {
        f"fpn_{kind}{level}" for kind in ("lateral", "output") for level in known
    }


def test_a_level_a_pixel_short_is_padded_below_and_right():
    body = backbone(levels=(2,), short=1)
    outputs = body(image())
    maps = [array(x) for x in pass_through(pyramid(body))(outputs)]
    np.testing.assert_allclose(maps[0][:, :-1, :-1], array(outputs["P2"]), atol=1e-6)
    assert not maps[0][:, -1].any()
    assert not maps[0][:, :, -1].any()


def test_group_normalization_behind_every_convolution():
    model = pyramid(backbone(), filters=8, norm="group")
    names = {v.path for v in model.weights}
    layers = [f"fpn_{kind}{level}" for kind in ("lateral", "output") for level in (2, 3, 4, 5)]
    assert names == {f"{x}/kernel" for x in layers} | {
        f"{x}_norm/{w}" for x in layers for w in ("gamma", "beta")
    }
    for x in model(backbone()(image()))[:-1]:  # each group, here a channel, of its own image
        np.testing.assert_allclose(array(x).mean((1, 2)), 0, atol=1e-4)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda: backbone(levels=(0, 1)), "from 'P2' .* Received: pools with P0, P1"),
        (lambda: backbone(levels=(2, 4)), "without a gap"),
        (lambda: backbone(levels=(3, 4)), "without a gap"),
        (lambda: zoo.create("plainnet20", width=2), "Received: plainnet20 with KerasTensor"),
        (lambda: pyramid(backbone(levels=(2,), short=2)), "P2 .* 32 x 16 .* Received: 30 x 14"),
    ],
)
def test_other_backbones_are_refused(body, message):
    with pytest.raises(ZooError, match=message):
        levels_of(body())
