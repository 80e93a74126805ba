import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.errors import ZooError
from zoo.signals.batch_norm import running_deviations


def test_the_root_of_the_mean_variance_at_any_depth():
    inner = keras.Sequential([keras.Input((2,)), layers.BatchNormalization(name="low")])
    outer = zoo.layers.BatchNormalization(name="high")
    model = keras.Sequential([keras.Input((2,)), inner, layers.Dense(3), outer])
    assert list(running_deviations(model).values()) == [1, 1]
    inner.layers[0].moving_variance.assign([1.0, 17.0])
    outer.moving_variance.assign([0.25, 0.25, 0.25])
    found = running_deviations(model)
    assert [name.split("/")[-1] for name in found] == ["low", "high"]
    np.testing.assert_allclose(list(found.values()), [3, 0.5], rtol=1e-6)


def test_a_shipped_checkpoint_has_left_its_start():
    found = running_deviations(zoo.load("plainnet44.cifar10"))
    assert len(found) == 43
    assert next(iter(found)) == "stem_norm"
    assert all(value > 0 and value != 1 for value in found.values())


def test_a_model_without_batch_normalization():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)], name="bare")
    with pytest.raises(ZooError, match="bare has no BatchNormalization"):
        running_deviations(model)
