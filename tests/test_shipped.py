"""The shipped checkpoints are bit for bit, and give, what they were and gave when published."""

import json

import numpy as np
import pytest

import zoo
from tests.support import shipped

SHIPPED = json.loads(shipped.PATH.read_text())


def test_every_checkpoint_is_listed():
    assert sorted(SHIPPED) == sorted(zoo.list_weights())


@pytest.mark.parametrize("name", zoo.list_weights())
def test_weights_and_outputs(name):
    now, published = shipped.describe(zoo.load(name)), SHIPPED[name]
    assert now["weights"] == published["weights"]
    np.testing.assert_allclose(now["outputs"], published["outputs"], atol=1e-5)
