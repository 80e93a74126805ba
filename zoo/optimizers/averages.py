"""Keras's moving averages of weights (`use_ema`) beside variables that have none."""

import contextlib
from collections.abc import Sequence

import keras


def complete_averages(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> None:
    """Gives every variable of an optimizer with `use_ema` its moving average.

    Keras makes none for a variable that is overwritten with its gradient, as the moments of
    `zoo.layers.ModulationSource` are, and then fails where it puts the averages into the model:
    at the end of `fit` on TensorFlow, in `keras.callbacks.SwapEMAWeights` on any backend.

    Args:
        optimizer: built here where it is not yet; nothing is done to one without `use_ema`.
        variables: the model's trainable variables.
    """
    if not optimizer.use_ema:
        return
    # TensorFlow's: variables of a strategy have a copy on each of its devices.
    strategy = getattr(optimizer, "_distribution_strategy", None)
    with strategy.scope() if strategy else contextlib.nullcontext():
        if not optimizer.built:
            optimizer.build(variables)
        averages = optimizer._model_variables_moving_average
        for i, variable in enumerate(variables):
            if averages[i] is None:
                averages[i] = optimizer.add_variable_from_reference(variable, "average")
                averages[i].assign(variable)
