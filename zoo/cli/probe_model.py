"""What `zoo probe` looks into: a model by its name, perhaps with new kernels."""

import importlib
from pathlib import Path

import keras

from zoo.creation import create
from zoo.errors import UnknownNameError, ZooError
from zoo.hub import index, loading
from zoo.initializers import Orthonormal
from zoo.registry import find, variants
from zoo.signals.taps import kernels_of, layers_of

INITIALIZERS = {
    "glorot": keras.initializers.GlorotNormal,
    "he": keras.initializers.HeNormal,
    "lecun": keras.initializers.LecunNormal,
    "orthogonal": keras.initializers.OrthogonalInitializer,
    "orthonormal": Orthonormal,
}
# Packages with classes of `.keras` files.
REGISTERED = (
    *("constraints", "detection", "initializers", "layers"),
    *("models", "optimizers", "regularizers"),
)
_APPLICATIONS = "keras.applications."


def load(name: str) -> tuple[keras.Model, list[str]]:
    """A model by what `zoo probe` takes, giving logits where it can, and notes on it.

    Raises:
        UnknownNameError: no such architecture, checkpoint or keras application.
        ZooError: a file that Keras cannot read, or does not in its safe mode.
    """
    if name.endswith(".keras"):
        return _saved(name), [f"Model: the file {name}, with its weights."]
    if name.startswith(_APPLICATIONS):
        model = _application(name.removeprefix(_APPLICATIONS))
        return model, [f"Model: {name} with fresh weights."]
    if name in variants():
        _check_task(name, name)
        return create(name, activation=None), [f"Model: {name} with fresh weights."]
    if not Path(name).is_dir() and "/" not in name and name not in index.list_weights():
        known = [*variants("classification"), *index.list_weights()]
        hint = "A .keras file and keras.applications.NAME can be probed, too."
        raise UnknownNameError("model or checkpoint", name, known, hint)
    _check_task(name, index.card(name).architecture)
    return loading.load(name, activation=None), [f"Model: the checkpoint {name}."]


def initialize(model: keras.Model, name: str, seed: int) -> str:
    """Gives all kernels new values, each of its own seed; tells so. Embeddings stay as they are.

    Raises:
        UnknownNameError: no such initializer.
    """
    if name not in INITIALIZERS:
        raise UnknownNameError("initializer", name, INITIALIZERS)
    number = 0
    for layer in layers_of(model):
        if isinstance(layer, keras.layers.Embedding):
            continue
        for kernel in kernels_of(layer):
            values = INITIALIZERS[name](seed=seed + number)(kernel.shape, dtype="float32")
            kernel.assign(keras.ops.cast(values, kernel.dtype))
            number += 1
    return f"All {number} kernels were initialized anew: {name}."


def _check_task(name: str, architecture: str) -> None:
    task = find(architecture).task
    if task != "classification":
        raise ZooError(
            f"{name} is for {task} and gives several outputs; a probe needs one. "
            "Probe its backbone by that architecture's name."
        )


def _saved(path: str) -> keras.Model:
    # Keras finds the zoo's classes only once they are imported.
    for package in REGISTERED:
        importlib.import_module(f"zoo.{package}")
    try:
        # Safe mode refuses the code that a Lambda layer brings along.
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all kinds
        raise ZooError(f"{path} cannot be loaded: {error}") from error


def _application(name: str) -> keras.Model:
    known = [n for n in dir(keras.applications) if n[0].isupper()]
    if name not in known:
        raise UnknownNameError("keras application", name, known)
    return getattr(keras.applications, name)(weights=None, classifier_activation=None)
