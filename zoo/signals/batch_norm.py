"""What the batch normalizations of a trained network have recorded."""

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError
from zoo.signals.taps import descendants, layers_of


def running_deviations(model: keras.Model) -> dict[str, float]:
    """sqrt(mean over channels of the moving variance) of every BatchNormalization.

    The size of what the layer in front of it gives. In a plain net that was trained with exploding
    gradients it grows towards the input: large gradients there made the weights large.

    Args:
        model: Keras model, built, and trained: at the start all are 1.

    Returns:
        Name -> deviation, in the order of the model.

    Raises:
        ZooError: The model has no BatchNormalization.

    References:
        Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", section 2.2 and figure 1,
        right.

    Example:

    >>> norm = keras.layers.BatchNormalization(name="norm")
    >>> model = keras.Sequential([keras.Input((2,)), norm])
    >>> norm.set_weights([*norm.get_weights()[:3], np.array([9.0, 23.0])])
    >>> running_deviations(model)
    {'norm': 4.0}
    """
    norms = [v for v in descendants(model) if isinstance(v, keras.layers.BatchNormalization)]
    if not norms:
        raise ZooError(f"{model.name} has no BatchNormalization.")
    deviations = {}
    for layer, name in layers_of(model, norms).items():
        variances = ops.convert_to_numpy(layer.moving_variance.value)
        deviations[name] = float(np.sqrt(np.mean(variances, dtype="float64")))
    return deviations
