"""TensorFlow's MultiWorkerMirroredStrategy: the devices of several hosts."""

import functools
import json
import os

import keras
import tensorflow as tf

from training.engines.engine import Engine, Options
from training.engines.replicas import engine_of
from zoo.errors import ZooError


def start(options: Options) -> Engine:
    """Joins the workers that TF_CONFIG names; each process has its share of the replicas."""
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG", ""))["cluster"]["worker"]
    except (ValueError, KeyError, TypeError):
        raise ZooError(
            "--strategy multiworker needs TF_CONFIG in the environment, e.g. "
            '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
            '"task": {"type": "worker", "index": 0}}.'
        ) from None
    print(f"Waiting for {len(cluster)} workers: {', '.join(cluster)} …", flush=True)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(
        communication_options=tf.distribute.experimental.CommunicationOptions(
            timeout_seconds=options.timeout
        )
    )
    resolver = strategy.cluster_resolver
    processes = len(resolver.cluster_spec().as_dict()["worker"])
    return engine_of(
        "multiworker",
        strategy,
        resolver.task_id,
        processes,
        agree=functools.partial(_agree, strategy),
    )


def _agree(strategy: tf.distribute.Strategy, number: int) -> bool:
    """Whether all workers have the same number."""
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
