"""TensorFlow: MirroredStrategy, MultiWorkerMirroredStrategy and TPUStrategy."""

import json
import os

import keras
import tensorflow as tf

from training.strategies import Engine, Options
from zoo.errors import ZooError


def start(options: Options) -> Engine:
    """Synchronous replicas; each takes its part of every batch."""
    make = {"mirrored": _mirrored, "multiworker": _multiworker, "tpu": _tpu}
    strategy = make[options.strategy](options)
    total = strategy.num_replicas_in_sync
    process, processes = _place(strategy)
    local = total // processes
    return Engine(
        options.strategy,
        parts=total,
        mine=tuple(range(process * local, (process + 1) * local)),
        devices=total,
        process=process,
        processes=processes,
        scope=strategy.scope,
        distribute=lambda batches: strategy.distribute_datasets_from_function(lambda _: batches),
        agree=lambda number: _agree(strategy, number),
    )


def _mirrored(options: Options):
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if options.devices and options.devices > len(gpus):
            raise ZooError(f"--devices {options.devices}: there are {len(gpus)} GPUs.")
        names = [f"/gpu:{i}" for i in range(options.devices or len(gpus))]
        return tf.distribute.MirroredStrategy(names)
    names = [f"/cpu:{i}" for i in range(_logical_cpus(options.devices or 1))]
    # Collectives between logical CPUs hang when one process makes several strategies.
    return tf.distribute.MirroredStrategy(
        names, cross_device_ops=tf.distribute.ReductionToOneDevice()
    )


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


def _multiworker(options: Options):
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG", ""))["cluster"]["worker"]
    except (ValueError, KeyError, TypeError):
        raise ZooError(
            "--strategy multiworker needs TF_CONFIG in the environment, e.g. "
            '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
            '"task": {"type": "worker", "index": 0}}.'
        ) from None
    print(f"Waiting for {len(cluster)} workers: {', '.join(cluster)} …", flush=True)
    return tf.distribute.MultiWorkerMirroredStrategy(
        communication_options=tf.distribute.experimental.CommunicationOptions(
            timeout_seconds=options.timeout
        )
    )


def _tpu(options: Options):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=options.tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:  # every kind of missing network, device or library
        raise ZooError(f"no TPU answers as {options.tpu or 'local'!r}: {error}") from error
    return tf.distribute.TPUStrategy(resolver)


def _place(strategy) -> tuple[int, int]:
    resolver = strategy.cluster_resolver
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and resolver is not None:
        return resolver.task_id, len(resolver.cluster_spec().as_dict()["worker"])
    return 0, 1


def _agree(strategy, number: int) -> bool:
    """Whether all workers have the same number."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    n = strategy.num_replicas_in_sync

    @tf.function
    def numbers():
        def replica():
            context = tf.distribute.get_replica_context()
            own = tf.one_hot(
                context.replica_id_in_sync_group, n, float(number), 0.0, dtype="float64"
            )
            return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

        return strategy.run(replica)

    return len(set(strategy.experimental_local_results(numbers())[0].numpy())) == 1


class MultiWorkerModel(keras.Model):
    """`keras.Model` whose `fit` and `evaluate` run under MultiWorkerMirroredStrategy.

    Keras builds a model from a batch that it takes out of the distributed data, which fails there
    and is not needed for one that is built; and it takes the replicas' figures apart by an index
    that a scalar does not have.
    """

    def _maybe_symbolic_build(self, *args, **kwargs):
        return None

    def train_step(self, data):
        return _with_axis(super().train_step(data))

    def test_step(self, data):
        return _with_axis(super().test_step(data))


def _with_axis(logs: dict) -> dict:
    return {key: tf.expand_dims(value, 0) for key, value in logs.items()}
