"""The verdict in words: what stands out on planted signals, and what does not."""

import math

import pytest

from zoo.signals import verdict as module
from zoo.signals.verdict import Finding, verdict

pytestmark = pytest.mark.once

HEALTHY = {"dying": 0, "full": 0, "units": 64}


def along(growth, layers=44):
    """Values that grow so per layer towards the input."""
    return {f"conv{i}": growth**-i for i in range(layers)}


def only(signals) -> Finding:
    (found,) = verdict(signals)
    return found


def test_exploding():
    found = only({"gradient_norm": along(1.21)})
    assert found.kind == "exploding"
    assert found.text == (
        "The gradient norm grows 1.21x per layer towards the input, over 44 layers (3,629x in "
        "all): exploding."
    )
    assert found.value == pytest.approx(1.21**43)
    assert found.threshold == module.TREND
    assert "Exploding Gradient" in found.paper
    assert str(found) == found.text


def test_vanishing():
    found = only({"gradient_norm": along(1 / 1.5, layers=11)})
    assert found.kind == "vanishing"
    assert "falls 1.50x per layer towards the input, over 11 layers (57.7x in all)" in found.text
    assert found.value == pytest.approx(1.5**-10)
    assert found.threshold == 1 / module.TREND


@pytest.mark.parametrize(
    ("whole", "kind"),
    [(10.1, "exploding"), (9.9, "well"), (1 / 9.9, "well"), (1 / 10.1, "vanishing")],
)
def test_the_threshold_is_of_the_whole_depth(whole, kind):
    for layers in (5, 500):
        assert only({"gradient_norm": along(whole ** (1 / (layers - 1)), layers)}).kind == kind


def test_few_layers_have_no_trend():
    assert only({"gradient_norm": along(100, layers=4)}).kind == "well"


def test_gradients_that_do_not_arrive_or_are_no_numbers():
    norms = along(1.21)
    found = only({"gradient_norm": norms | {"conv3": 0.0, "conv7": 0.0}})
    assert found.kind == "broken"
    assert found.text == "The gradient norm is 0 at conv3, conv7."
    found = only({"gradient_norm": norms | {"conv3": 0.0, "conv5": math.nan}})
    assert found.text == "The gradient norm is not finite at conv5."
    assert found.layers == ("conv5",)
    assert only({"error_moment": norms | {"conv5": math.inf}}).kind == "broken"


def test_errors_are_judged_by_their_root_mean_square():
    found = only({"error_moment": along(1.467)})
    assert found.kind == "errors"
    assert "root mean square of the error grows 1.21x per layer" in found.text
    assert found.value == pytest.approx(1.467 ** (43 / 2))
    assert only({"error_moment": along(1.1)}).kind == "well"


def test_running_deviation():
    found = only({"running_deviation": along(1.1)})
    assert (found.kind, "figure 1, right" in found.paper) == ("deviation", True)
    assert only({"running_deviation": dict.fromkeys("abcdef", 1.0)}).kind == "well"


def test_domination_is_relative_to_the_median_layer():
    ratios = dict.fromkeys("abcdefg", 0.2) | {"conv17": 0.2 * 0.004, "conv18": 0.2 * 0.02}
    found = only({"domination": ratios})
    assert found.text == (
        "Layer conv17 is weight-dominated: the gradient of conv17 is 0.0008 of its weight (largest "
        "singular values); the median layer's is 0.2."
    )
    assert found.value == pytest.approx(0.004)
    assert found.threshold == module.DOMINATED
    found = only({"domination": ratios | {"conv18": 0.2 * 0.001}})
    assert found.layers == ("conv18", "conv17")
    assert found.text.startswith("Layers conv18, conv17 are weight-dominated: the gradient of")
    assert only({"domination": {"a": 1e-9, "b": math.nan}}).kind == "well"


def test_dying_and_full_units():
    activations = {f"conv{i}": HEALTHY for i in range(5)}
    activations["conv3"] = HEALTHY | {"dying": 12}
    activations["conv4"] = HEALTHY | {"dying": 6, "full": 32}
    dying, full = verdict({"activations": activations})
    assert dying.kind == "dying"
    assert dying.text == "12 of 64 units of conv3 never fire."
    assert dying.value == 12 / 64
    assert dying.threshold == module.SILENT
    assert full.text == "32 of 64 units of conv4 always fire, as good as linear."
    many = {f"conv{i}": HEALTHY | {"dying": 10 + i} for i in range(5)}
    assert only({"activations": many}).text == (
        "14 of 64 units of conv4, 13 of 64 units of conv3, 12 of 64 units of conv2, and units of "
        "2 more layers never fire."
    )


def test_twins_and_condition_numbers():
    assert only({"coherence": {"a": 0.5, "b": 0.97, "c": 1.0}}).text == (
        "Two filters of c, b are nearly parallel: |cos| up to 1."
    )
    assert only({"input_kappa": {"a": 50.0, "b": 3e5}}).layers == ("b",)
    assert only({"weight_kappa": {"a": 1e5, "b": math.inf}}).layers == ("b",)
    within = {"coherence": {"a": 0.9}, "input_kappa": {"a": 9e3}, "weight_kappa": {"a": 1e7}}
    assert only(within).kind == "well"


def test_all_well():
    found = only({"gradient_norm": along(1.01), "coherence": {}, "domination": along(1.01)})
    assert found.text == (
        "All well: nothing stands out in what was looked at (gradient norm, domination). The "
        "gradient norm grows 1.01x per layer towards the input, over 44 layers (1.53x in all)."
    )
    assert only({}).text == "All well: nothing stands out in what was looked at (nothing)."


def test_what_hinders_most_comes_first():
    found = verdict({"coherence": {"a": 1.0}, "domination": {}, "gradient_norm": along(1.21)})
    assert [f.kind for f in found] == ["exploding", "alike"]
