"""VGG-19 with batch normalization, a trained plain net for the papers' instruments.

Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
configuration E, with batch normalization behind every convolution as torchvision has it.
"""

import re

import keras
from keras import layers

from zoo.errors import ZooError
from zoo.layers.layer_factory import Decay, Initializer, LayerFactory
from zoo.models.image_model import image_model
from zoo.models.input_shapes import check_image
from zoo.models.options import Activation, Classes, InputShape, Share, Strength, Units, Width
from zoo.models.torch_names import TorchNames
from zoo.models.variant import Variant

PAPER = (
    "Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. "
    "ICLR 2015. With batch normalization in Hu: Revisiting Exploding Gradient: A Ghost That Never "
    "Leaves. 2021, figure 1"
)

# Convolutions of the five stages.
CONVOLUTIONS = (2, 2, 4, 4, 4)


def vgg_bn(
    *,
    input_shape: InputShape = (224, 224, 3),
    num_classes: Classes = 1000,
    activation: Activation = "softmax",
    features: bool = False,
    width: Width = 64,
    units: Units = 4096,
    dropout: Share = 0.5,
    initializer: Initializer = "he_normal",
    orthonormal: Strength = 0.0,
    weight_decay: Strength = 5e-4,
    decay: Decay = "kernels",
    name: str = "vgg19_bn",
) -> keras.Model:
    """Five stages of 3x3 convolutions at `width` * (1, 2, 4, 8, 8), then three dense layers.

    Conv-BN-ReLU, the convolutions with a bias as in torchvision's network (where the batch
    normalization takes it away again), and a max pooling 2x2/2 behind every stage. Weights of the
    first dense layer belong to one image size, at least 32x32; with `features=True` any such size
    fits. torchvision averages other maps to 7x7 before the dense layers: at 224x224 both are
    equal.

    Args:
        input_shape: tuple of int or None. (H, W, C) of the preprocessed image.
        num_classes: int. Size of the output; 0 gives the last hidden layer instead.
        activation: str or None. "softmax" for probabilities, None for logits.
        features: bool. True for the outputs of the stages behind their pooling, {"P1", …, "P5"}, in
            place of the head.
        width: int. Filters of the first stage.
        units: int. Units of the two hidden dense layers.
        dropout: float. Share of these units that training drops.
        initializer, orthonormal, weight_decay, decay: see `zoo.layers.LayerFactory`.
        name: str. Name of the model.

    Returns:
        Functional model, (N, H, W, C) float -> (N, num_classes).

    Raises:
        ZooError: for an image below 32x32, or of open size without `features`.

    Example:

    >>> vgg_bn(input_shape=(32, 32, 3), width=4, units=8).name
    'vgg19_bn'
    """
    check_image(name, input_shape, least=32)
    if None in input_shape and not features:
        raise ZooError(
            f"{name}: dense layers need an input_shape given in full, or features=True. "
            f"Received: input_shape={input_shape}"
        )
    factory = LayerFactory(
        initializer=initializer,
        orthonormal=orthonormal,
        weight_decay=weight_decay,
        decay=decay,
        use_bias=True,
    )
    inputs = x = keras.Input(input_shape, name="image")
    levels = {}
    for stage, convolutions in enumerate(CONVOLUTIONS, start=1):
        for i in range(1, convolutions + 1):
            x = factory.conv_norm_act(x, width * min(2 ** (stage - 1), 8), 3, f"stage{stage}_{i}")
        x = levels[2**stage] = layers.MaxPooling2D(
            2, data_format="channels_last", name=f"stage{stage}_pool"
        )(x)
    if features:
        return image_model(
            inputs,
            levels,
            factory=factory,
            num_classes=num_classes,
            activation=activation,
            features=True,
            name=name,
        )
    x = layers.Flatten(data_format="channels_last", name="head_flatten")(x)
    for i in (1, 2):
        x = factory.dense(x, units, f"hidden{i}_dense")
        x = factory.act(f"hidden{i}_act")(x)
        x = layers.Dropout(dropout, name=f"hidden{i}_drop")(x)
    return keras.Model(inputs, factory.classifier(x, num_classes, activation), name=name)


def _torch_module(layer: str) -> str | None:
    dense = {"hidden1_dense": 0, "hidden2_dense": 3, "head_dense": 6}
    if layer in dense:
        return f"classifier.{dense[layer]}"
    match = re.fullmatch(r"stage(\d+)_(\d+)_(conv|norm)", layer)
    if not match:
        return None
    stage, i, kind = match.groups()
    # One list of modules: Conv, BN, ReLU of every convolution, and a pooling behind every stage.
    before = sum(3 * n + 1 for n in CONVOLUTIONS[: int(stage) - 1]) + 3 * (int(i) - 1)
    return f"features.{before + (kind == 'norm')}"


# Of torchvision.
TORCH = TorchNames(_torch_module, "classifier.6", flattened="hidden1_dense/kernel")

VARIANTS = [Variant("vgg19_bn", vgg_bn, paper=PAPER, torch=TORCH)]
