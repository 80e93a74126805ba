"""Old spellings of public names."""

import keras
import pytest

import zoo
from zoo.layers import LayerFactory, ResidualBlock, ResidualStage

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("create", zoo),
        ("list_models", zoo),
        ("ResidualBlock", zoo.layers),
        ("ResidualStage", zoo.layers),
    ],
)
def test_names_that_were_in_zoo_models(name, home):
    with pytest.warns(DeprecationWarning, match=rf"{home.__name__}\.{name} now"):
        assert getattr(zoo.models, name) is getattr(home, name)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'registry_'"):
        _ = zoo.models.registry_


@pytest.mark.parametrize("layer", [ResidualBlock(4), ResidualStage(4, 2)])
def test_configurations_of_older_files(layer):
    config = layer.get_config()
    config["parts"] = config.pop("factory") | {"nonlinearity": "crelu"}
    again = type(layer).from_config(config)
    block = getattr(again, "blocks", [again])[0]
    assert block.factory == LayerFactory(nonlinearity="crelu")
    assert keras.saving.get_registered_name(type(layer)) == f"zoo>{type(layer).__name__}"
