"""The card of a model that has none yet."""

import pytest

import zoo
from tests.support.checkpoints import MLP, PLAIN, make_card
from zoo.checkpoint import Training, load_checkpoint, new_card, save_checkpoint
from zoo.errors import UnknownNameError


def card_of(architecture: str, args: dict, **fields):
    model = zoo.create(architecture, **args)
    rest = {"preprocess": make_card(architecture).preprocess, "labels": ["a", "b", "c"]}
    about = {"training": Training(), "license": "MIT", **rest, **fields}
    return model, new_card(model, f"{architecture}.toy", args=args, **about)


def test_what_follows_from_the_model(tmp_path):
    model, card = card_of("maxnorm_mlp3", MLP)
    assert (card.version, card.dtype, card.head) == (1, "float32", ("head_dense",))
    assert card.requires == f"zoo>={zoo.__version__}"
    assert "Oyedotun" in card.citation
    assert card.labels == ("a", "b", "c")
    written = save_checkpoint(model, tmp_path, card)
    assert load_checkpoint(tmp_path).zoo_card == written


@pytest.mark.parametrize(("norm", "has"), [("batchnorm", True), ("none", False)])
def test_constants_of_batch_norm_only_where_there_is_one(norm, has):
    _, card = card_of("plainnet20", {**PLAIN, "norm": norm})
    assert (card.batch_norm is not None) == has


def test_other_fields():
    _, card = card_of("maxnorm_mlp3", MLP, version=3, citation="Me")
    assert (card.version, card.citation) == (3, "Me")


def test_unknown_architecture():
    model = zoo.create("maxnorm_mlp3", **MLP)
    about = {"args": MLP, "preprocess": None, "labels": (), "training": Training(), "license": "x"}
    with pytest.raises(UnknownNameError, match="maxnorm_mlp3"):
        new_card(model, "maxnorm_mpl3.toy", **about)
