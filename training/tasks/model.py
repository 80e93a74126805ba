"""What models of all tasks need to be trained."""

import keras

from training.engines.engine import Engine


def synchronize(network: keras.Model, engine: Engine) -> None:
    """Gives a network's batch norms the statistics of the whole batch, as JAX does by itself."""
    if engine.replicated:
        for layer in network._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True


def model_class(engine: Engine, base: type[keras.Model] = keras.Model) -> type[keras.Model]:
    """The class of models whose `fit` runs on an engine: `base`, or a subclass of its name."""
    if engine.name != "multiworker":
        return base
    from training.engines.multiworker import MultiWorkerModel

    if base is keras.Model:
        return MultiWorkerModel
    return type(base.__name__, (MultiWorkerModel, base), {})
