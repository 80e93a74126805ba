import keras
import numpy as np
import pytest

from tests.support.helpers import array
from zoo.layers import CReLU


@pytest.mark.parametrize("shape", [(4, 6), (2, 3, 5, 6), (7,)])
def test_both_phases_and_nothing_lost(shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    y = array(CReLU()(x))
    assert y.shape == (*shape[:-1], 2 * shape[-1])
    positive, negative = np.split(y, 2, axis=-1)
    np.testing.assert_array_equal(positive, np.maximum(x, 0))
    np.testing.assert_array_equal(positive - negative, x)
    assert (y > 0).mean() == 0.5


def test_in_a_model_saved_and_in_half_precision(tmp_path):
    inputs = keras.Input((5, 5, 3))
    model = keras.Model(inputs, CReLU(dtype="mixed_bfloat16")(inputs))
    assert model.output_shape == (None, 5, 5, 6)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.layers[-1].compute_dtype == "bfloat16"
    assert keras.models.clone_model(again).output_shape == (None, 5, 5, 6)


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="has to know its size"):
        CReLU()(keras.Input((4, None)))
