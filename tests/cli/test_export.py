"""`zoo export`, and `zoo predict` on what it wrote."""

import json

import keras
import pytest

from zoo.cli import main

NAME = "maxnorm_mlp3.test"

pytestmark = pytest.mark.once


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="as TensorFlow writes it")
def test_an_exported_file_predicts_as_its_checkpoint(tmp_path, capsys, photos):
    place = tmp_path / "net"
    command = ["export", NAME, "--format", "savedmodel", "--to", str(place)]
    assert main(command) == 0
    assert f"zoo predict {place} PHOTO" in capsys.readouterr().out
    predictions = []
    for model in (str(place), NAME):
        assert main(["predict", model, "a.png", "--json"]) == 0
        predictions.append(json.loads(capsys.readouterr().out)[0]["predictions"])
    for one, other in zip(*predictions, strict=True):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)
    assert main(command) == 2
    assert "overwrite=True" in capsys.readouterr().err
    assert main(["predict", str(place), "a.png", "--threshold", "0.5"]) == 2
    assert "--threshold is for detection" in capsys.readouterr().err
