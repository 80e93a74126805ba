"""What detectors take and refuse."""

import pytest

from tests.support.small_detector import OBJECTS, example
from zoo.detection.input_checks import split_inputs
from zoo.errors import ZooError


def test_inputs():
    x = example(*OBJECTS)
    shape, needed = x["image"].shape[1:], ("boxes", "labels")
    for inputs in (x["image"], {"image": x["image"]}):
        image, targets = split_inputs("m", inputs, shape, needed)
        assert image is x["image"]
        assert targets == {}
    image, targets = split_inputs("m", x, shape, needed)
    assert set(targets) == set(x) - {"image"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.pop("crowd"), "dict of 'image', 'boxes', 'labels', 'crowd', 'masks'"),
        (lambda x: x.pop("image"), "Received: a dict of 'boxes'"),
        (lambda x: x.update(image=x["image"][:, 1:]), r"shape \(64, 64, 3\).*\(2, 63, 64, 3\)"),
        (lambda x: x.update(boxes=x["boxes"][:, :5]), "as many slots each"),
        (lambda x: x.clear(), "Received: a dict of nothing"),
    ],
)
def test_other_inputs_are_refused(change, message):
    x = example(*OBJECTS)
    change(x)
    with pytest.raises(ZooError, match=message):
        split_inputs("m", x, (64, 64, 3), ("boxes", "labels", "crowd", "masks"))
