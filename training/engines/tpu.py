"""TensorFlow's TPUStrategy: the cores of a TPU."""

import tensorflow as tf

from training.engines.engine import Engine, Options
from training.engines.replicas import engine_of
from zoo.errors import ZooError


def start(options: Options) -> Engine:
    """A replica on each core of the TPU that `options.tpu` names."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=options.tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:  # every kind of missing network, device or library
        raise ZooError(f"no TPU answers as {options.tpu or 'local'!r}: {error}") from error
    return engine_of("tpu", tf.distribute.TPUStrategy(resolver))
