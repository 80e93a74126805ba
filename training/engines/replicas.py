"""What TensorFlow's strategies have in common: synchronous replicas of the model."""

import tensorflow as tf

from training.engines.engine import Engine


def engine_of(
    name: str, strategy: tf.distribute.Strategy, process: int = 0, processes: int = 1, **more
) -> Engine:
    """The engine of a strategy; each replica takes its part of every batch."""
    total = strategy.num_replicas_in_sync
    local = total // processes
    return Engine(
        name,
        parts=total,
        mine=tuple(range(process * local, (process + 1) * local)),
        devices=total,
        process=process,
        processes=processes,
        scope=strategy.scope,
        distribute=lambda batches: strategy.distribute_datasets_from_function(lambda _: batches),
        **more,
    )
