"""`zoo list`."""

import json

import pytest

from zoo.cli import main

pytestmark = pytest.mark.once


def test_list(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("architectures\n  plainnet20\n")
    assert "\ncheckpoints\n  maxnorm_mlp3.test 94.87% top-1 on usps test\n" in out


def test_list_pattern(capsys):
    assert main(["list", "plainnet2*"]) == 0
    assert capsys.readouterr().out == "architectures\n  plainnet20\n"
    assert main(["list", "*.test"]) == 0
    assert capsys.readouterr().out.startswith("checkpoints\n  maxnorm_mlp3.test ")


def test_list_json(capsys, model):
    assert main(["list", "maxnorm_mlp3*", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "architectures": ["maxnorm_mlp3"],
        "checkpoints": [
            {
                "name": "maxnorm_mlp3.test",
                "params": model.count_params(),
                "license": "MIT",
                "top1": 0.9487,
                "data": "usps test",
            }
        ],
    }


def test_list_builds_no_model(monkeypatch):
    def build(*args, **kwargs):
        raise AssertionError("a model is built")

    monkeypatch.setattr("keras.Model.__init__", build)
    assert main(["list"]) == 0


def test_list_without_match(capsys):
    assert main(["list", "plainet20"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "zoo: Unknown model or checkpoint: 'plainet20'. Did you mean 'plainnet20'?\n"
    )
