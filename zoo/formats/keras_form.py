"""Networks of the zoo as networks of Keras's own layers, for programs that do not have the zoo."""

import keras

from zoo.errors import ZooError
from zoo.layers.keras_form import KerasForm
from zoo.models.deferred import build_without_values, fill
from zoo.models.policy import dtype_policy

# More end in a RecursionError, after minutes.
_MOST_LAYERS = 2000


def to_keras_layers(model: keras.Model) -> keras.Model:
    """A network of the same outputs whose layers are all Keras's own.

    For inference, in float32. Composite layers become chains; filters that are normalized in each
    step (`NormPropConv2D`) are stored normalized; a tied kernel becomes two equal ones; modulation,
    the identity in inference, is left out. Regularizers, constraints and initializers are not
    taken over.

    Args:
        model: keras.Model, Functional or Sequential, of layers of the zoo and of Keras.

    Returns:
        keras.Model, Functional, with the same input and copies of the weights. It does not need
        the zoo to be saved or loaded.

    Raises:
        ZooError: a layer is neither Keras's nor of the zoo's networks; the model is a detector,
            which is more than a graph of layers; or the network is too deep to be a graph of
            single layers, of about 1000 in a row, which Keras walks recursively.

    Example:

    >>> model = to_keras_layers(zoo.load("resnet20.cifar10"))
    >>> {type(layer).__module__.partition(".")[0] for layer in model.layers}
    {'keras'}
    """
    if not isinstance(model, keras.Model):
        raise ZooError(f"model must be a keras.Model, as of zoo.load. Received: {model!r}")
    if isinstance(model, keras.Sequential) and model.built:
        inputs, outputs = (t[0] if len(t) == 1 else t for t in (model.inputs, model.outputs))
        model = keras.Model(inputs, outputs, name=model.name)
    if not hasattr(model, "operations"):
        raise ZooError(f"{model.name} is more than a graph of layers, as detectors are.")
    too_deep = f"{model.name} is too deep for a graph of single layers: Keras walks it recursively."
    if len(model._flatten_layers()) > _MOST_LAYERS:
        raise ZooError(too_deep)
    form = KerasForm()
    with dtype_policy("float32"):
        try:
            plain = build_without_values(
                lambda: keras.models.clone_model(
                    model,
                    clone_function=lambda layer: layer,
                    call_function=lambda layer, x, **_: form.apply(layer, x, layer.name),
                )
            )
        except RecursionError:
            raise ZooError(too_deep) from None
        fill(plain, form.values)
    return plain
