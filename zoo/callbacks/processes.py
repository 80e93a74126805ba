"""Which of the processes of a training this is: where backends differ."""

import keras


def is_first(model: keras.Model) -> bool:
    """Whether this process is the one that writes; always, where there is only one."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.process_index() == 0
    if backend == "tensorflow":
        strategy = getattr(model, "distribute_strategy", None)
        cluster = getattr(strategy, "cluster_resolver", None)
        return not getattr(cluster, "task_id", None)
    return True
