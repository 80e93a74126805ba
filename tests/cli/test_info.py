"""`zoo info`."""

import json

import pytest

import zoo
from zoo.checkpoint import parse_card
from zoo.cli import main

pytestmark = pytest.mark.once

NAME = "maxnorm_mlp3.test"


def test_info_of_an_architecture(capsys):
    assert main(["info", "maxnorm_mlp3"]) == 0
    out = capsys.readouterr().out
    assert f"{zoo.create('maxnorm_mlp3').count_params():,} with the defaults" in out
    assert "Oyedotun" in out
    assert "maxnorm_mlp3.test" in out
    options = {line.split()[0]: line for line in out.split("zoo.create\n")[1].splitlines()}
    assert options["units"].split(maxsplit=2) == ["units", "300", "an integer from 1 to 65536"]
    assert "'leaky_relu'  one of 'relu', 'crelu'" in options["nonlinearity"]
    assert "depth" not in options


def test_info_of_an_architecture_as_json(capsys):
    assert main(["info", "plainnet20", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["name"] == "plainnet20"
    assert info["checkpoints"] == []
    assert info["params"] == zoo.create("plainnet20").count_params()
    assert info["options"]["width"] == {"default": 16, "allowed": "an integer from 1 to 4096"}


def test_info_of_a_checkpoint(capsys, folder, model):
    assert main(["info", NAME]) == 0
    out = capsys.readouterr().out
    assert main(["info", str(folder)]) == 0
    assert capsys.readouterr().out == out
    for fact in (
        "maxnorm_mlp3.test, version 1",
        "maxnorm_mlp3(units=20)",
        f"{model.count_params():,}, float32",
        "0.9487 on usps test (2,007 images): python -m training.evaluate",
        "16 x 16 x 1",
        "10: zero, one",
        "recipe maxnorm_mlp epochs=2",
        "MIT",
        "zoo>=0.1",
    ):
        assert fact in out


def test_info_of_a_checkpoint_as_json(capsys, model):
    assert main(["info", NAME, "--json"]) == 0
    assert parse_card(capsys.readouterr().out.encode(), "stdout") == model.zoo_card


def test_info_of_an_unknown_name(capsys):
    assert main(["info", "maxnorm_mpl3.test"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Did you mean 'maxnorm_mlp3.test'?" in captured.err
    assert main(["info", "no/such/folder"]) == 2


def test_info_of_an_architecture_shows_its_checkpoint_beside_it(capsys):
    assert main(["info", "maxnorm_mlp3"]) == 0
    assert "maxnorm_mlp3.test: 16x16 pixels, 10 classes, units=20" in capsys.readouterr().out
