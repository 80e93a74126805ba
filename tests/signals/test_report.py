"""Examinations of planted nets, and their reports: complete, escaped, and on their own."""

import builtins
import html.parser
import io
import json
import re

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from zoo.errors import ZooError
from zoo.signals.examination import Examination, examine
from zoo.signals.profile import error_moments, gradient_norms
from zoo.signals.report import to_html, to_json, write_report
from zoo.signals.theory.matrices import condition_number
from zoo.signals.verdict import verdict
from zoo.signals.weights import weight_domination

RNG = np.random.default_rng(0)
X = RNG.standard_normal((16, 6, 6, 3)).astype("float32")
Y = np.arange(16) % 4
EVIL = r"<img src=x onerror='alert(1)'>&$\frac$"


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="act"),
            layers.Conv2D(8, 3, padding="same", name="twins", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="wide"),
        ],
        name="net",
    )
    kernel, bias = net.get_layer("twins").get_weights()
    kernel[..., 1] = -2 * kernel[..., 0]
    bias[3] = -1e3
    net.get_layer("twins").set_weights([kernel, bias])
    return net


@pytest.fixture(scope="module")
def found(net):
    told = []
    result = examine(net, X, Y, tell=told.append)
    assert len(told) == 4
    return result


@pytest.fixture(scope="module")
def evil(found):
    """The same of a net with other names: a file from elsewhere may hold any."""

    def renamed(values):
        return {names.get(layer, layer): value for layer, value in values.items()}

    names = {"act": EVIL, "wide": "wide_<b>", "twins": r"$\bad"}
    signals = {signal: renamed(values) for signal, values in found.signals.items()}
    return Examination("net_<script>", found.examples, signals, renamed(found.spectra))


def test_signals_are_those_of_the_functions(net, found):
    signals = found.signals
    for name, function in (
        ("gradient_norm", gradient_norms),
        ("error_moment", error_moments),
        ("domination", weight_domination),
    ):
        expected = function(net, X, Y)
        assert signals[name] == pytest.approx(expected, rel=1e-4)
        assert list(signals[name]) == list(expected)
    kernel = net.get_layer("conv").kernel
    assert signals["weight_kappa"]["conv"] == pytest.approx(condition_number(kernel))
    assert found.examples == 16


def test_what_was_planted_is_found(found):
    assert found.signals["activations"]["twins"]["dying"] == 1
    assert found.signals["activations"]["twins"]["units"] == 8
    kinds = {finding.kind: finding for finding in verdict(found.signals)}
    assert kinds.keys() == {"dying", "alike"}
    assert kinds["dying"].text == "1 of 8 units of twins never fire."
    assert kinds["alike"].layers == ("twins",)
    # 16 examples are too few for the 8 inputs of the last layer, their 576 positions are not.
    assert list(found.signals["input_kappa"]) == ["conv", "twins"]
    assert list(found.spectra) == ["conv", "twins", "wide"]


class Reader(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [v for k, v in attributes if k in ("src", "href")]
        assert not any(key.startswith("on") for key, _ in attributes)

    def handle_data(self, data):
        self.text += data


def test_report(evil, tmp_path):
    findings = verdict(evil.signals)
    notes = ["Model: <i>it</i>."]
    written = write_report(tmp_path / "deep" / "report.html", evil, findings, notes)
    names = ["gradient_norm", "error_ratio", "activations", "spectra", "weights"]
    assert [path.name for path in written] == [
        "report.html",
        *(f"report_{name}.png" for name in names),
    ]
    for path in written[1:]:
        assert Image.open(path).size == (700, 350)
    page = Reader(written[0].read_text("utf-8"))
    # On its own: nothing but pictures within, and nothing that runs.
    assert not {"script", "link", "iframe", "i", "b"} & set(page.tags)
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert page.tags.count("img") == len(names)
    # Names and notes are text.
    for text in (EVIL, "wide_<b>", r"$\bad", "Signals of net_<script>", "Model: <i>it</i>."):
        assert text in page.text
    for finding in findings:
        assert finding.text in page.text
        assert finding.paper in page.text
    assert page.text.index(findings[0].text) < page.text.index("condition of W")


def test_pictures_have_ink(found):
    from zoo.signals.drawing import draw

    for name, png in draw(found).items():
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), "int32")
        coloured = (pixels.max(-1) - pixels.min(-1) > 60).sum()
        assert coloured > 300, name


def test_json(found):
    findings = verdict(found.signals)
    text = json.dumps(to_json(found, findings, ["a note"]), allow_nan=False)
    loaded = json.loads(text)
    assert loaded["model"] == "net"
    assert loaded["notes"] == ["a note"]
    assert [f["kind"] for f in loaded["verdict"]] == [f.kind for f in findings]
    assert loaded["verdict"][0]["layers"] == ["twins"]
    assert loaded["signals"]["gradient_norm"] == found.signals["gradient_norm"]
    assert len(loaded["spectra"]["conv"]) == 3


def test_a_net_that_has_diverged_is_reported(tmp_path):
    net = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="a"), layers.Dense(2)])
    net.get_layer("a").set_weights([np.full((5, 4), np.nan), np.zeros(4)])
    x = np.ones((3, 5), "float32")
    found = examine(net, x, np.zeros(3, int))
    findings = verdict(found.signals)
    assert findings[0].kind == "broken"
    page = to_html(found, findings)
    assert "is not finite at a" in page
    assert found.spectra == {}
    assert json.loads(json.dumps(to_json(found, findings), allow_nan=False))
    write_report(tmp_path / "report.html", found, findings)


def test_without_matplotlib(monkeypatch, found, tmp_path):
    original = builtins.__import__

    def without(name, *arguments):
        if name.startswith("matplotlib"):
            raise ImportError("No module named 'matplotlib'")
        return original(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ZooError, match=re.escape("pip install zoo[probe]")):
        write_report(tmp_path / "report.html", found, [])
    assert list(tmp_path.iterdir()) == []
