"""What the programs of training refuse in a line, before any work."""

import pytest

from tests.support import toy
from training import train
from training.data import Images
from training.data.pipeline import Share
from training.tasks.classification.batches import EpochBatches
from zoo.errors import ZooError

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("batch_size=0", "batch_size must be an integer of at least 1"),
        ("accumulate=0", "accumulate must be an integer of at least 1"),
        ("epochs=-2", "epochs must be an integer of at least 1"),
        ("holdout=-1", "holdout must be an integer of at least 0"),
        ("seed=-1", "seed must be an integer of at least 0"),
        ("seed=4294967296", "seed must be at most 4294967295"),
        ("learning_rate=-0.1", "learning_rate must be a number of at least 0"),
        ("learning_rate=1e999", "learning_rate must be a number of at least 0"),
    ],
)
def test_numbers(capsys, tmp_path, setting, message):
    run = tmp_path / "run"
    assert train.main(["maxnorm_mlp100_usps", setting, "--run", str(run)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(f"training.train: {message}")
    assert not run.exists()


def test_more_in_a_batch_than_there_are():
    whole = toy.images()
    images = Images(whole.x[:9], whole.y[:9], whole.labels)
    with pytest.raises(ZooError, match="at most the number of training images, 9"):
        EpochBatches(toy.RECIPE, images, Share())
