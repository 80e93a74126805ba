"""One device, whatever the backend."""

from training.engines.engine import Engine, Options


def start(options: Options) -> Engine:
    """What Keras does by itself."""
    return Engine()
