"""TensorFlow's MirroredStrategy: the devices of one host."""

import tensorflow as tf

from training.engines.engine import Engine, Options
from training.engines.replicas import engine_of
from zoo.errors import ZooError


def start(options: Options) -> Engine:
    """A replica on each GPU, or on each of the devices that the CPU is cut into."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if options.devices and options.devices > len(gpus):
            raise ZooError(f"--devices {options.devices}: there are {len(gpus)} GPUs.")
        names = [f"/gpu:{i}" for i in range(options.devices or len(gpus))]
        return engine_of("mirrored", tf.distribute.MirroredStrategy(names))
    names = [f"/cpu:{i}" for i in range(_logical_cpus(options.devices or 1))]
    # Collectives between logical CPUs hang when one process makes several strategies.
    strategy = tf.distribute.MirroredStrategy(
        names, cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    return engine_of("mirrored", strategy)


def _logical_cpus(count: int) -> int:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
        )
    except RuntimeError:  # TensorFlow has started: what there is must do
        if len(tf.config.list_logical_devices("CPU")) < count:
            raise ZooError(
                f"--devices {count} came after TensorFlow had started its devices."
            ) from None
    return count
