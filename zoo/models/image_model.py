"""The model around the stages of an image network."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from zoo.layers.layer_factory import LayerFactory


@keras.saving.register_keras_serializable("zoo")
class Backbone(keras.Model):
    """A functional model whose outputs are the levels of a network, {"P2": stride 4, …}.

    It has the two attributes by which the detectors of keras-hub (`RetinaNetBackbone`) and of
    keras-cv (`RetinaNet`) know the levels of their backbone.

    Example:

    >>> body = zoo.create("plainnet20", width=2, features=True)
    >>> body.pyramid_level_inputs["P2"]
    'stage3_6_act'
    """

    @property
    def pyramid_outputs(self) -> dict[str, keras.KerasTensor]:
        """Symbolic output by level."""
        return self.output

    @property
    def pyramid_level_inputs(self) -> dict[str, str]:
        """Name of the layer that a level is the output of."""
        last = {id(layer.output): layer.name for layer in self.layers}
        return {level: last[id(output)] for level, output in self.output.items()}


def image_model(
    inputs: keras.KerasTensor,
    levels: Mapping[int, keras.KerasTensor],
    *,
    factory: LayerFactory,
    num_classes: int,
    activation: str | None,
    features: bool,
    name: str,
    head: Sequence[keras.Layer] = (),
) -> keras.Model:
    """The model around the stages of an image network.

    Args:
        inputs: symbolic tensor, the image.
        levels: mapping of int to symbolic tensor, outputs of the stages by their stride, the last
            one last.
        factory: LayerFactory, for the classifier.
        num_classes: int, of the classifier; 0 for pooled features.
        activation: str or None, of the classifier.
        features: bool. Whether to give the levels, {"P2": stride 4, …}, in place of all that
            follows.
        name: str, of the model.
        head: sequence of layers between the pooling and the classifier.

    Returns:
        Functional model; with `features` a `Backbone`.
    """
    if features:
        pyramid = {f"P{stride.bit_length() - 1}": x for stride, x in levels.items()}
        return Backbone(inputs, pyramid, name=name)
    x = layers.GlobalAveragePooling2D(data_format="channels_last", name="head_pool")(
        list(levels.values())[-1]
    )
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, factory.classifier(x, num_classes, activation), name=name)
