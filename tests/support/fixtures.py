"""Fixtures of several folders of tests; their conftest.py imports them."""

import shutil

import pytest

from tests.support.checkpoints import make_checkpoint


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """(folder, model) of a checkpoint that is written once; tests copy or only read it."""
    folder = tmp_path_factory.mktemp("template")
    model, _ = make_checkpoint(folder)
    return folder, model


@pytest.fixture
def folder(template, tmp_path):
    """A checkpoint folder to spoil."""
    return shutil.copytree(template[0], tmp_path / "toy")
