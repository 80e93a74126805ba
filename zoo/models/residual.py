"""What the residual families for 32x32 and for 224x224 images share."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import keras
from keras import layers

from zoo.errors import ZooError
from zoo.layers.layer_factory import Initializer, LayerFactory

HeadGamma = Literal["ones", "uniform"]

_GAMMA: dict[str, Callable[[], keras.Initializer]] = {
    "ones": keras.initializers.Ones,
    "uniform": lambda: keras.initializers.RandomUniform(0.0, 1.0),
}

RESNET = "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition. CVPR 2016"
CONDITIONING = (
    "Huang, Qin, Liu, Zhu, Shao: Layer-wise Conditioning Analysis in Exploring the Learning "
    "Dynamics of DNNs. ECCV 2020"
)
CRELU = (
    "Shang, Chiu, Sohn: Exploring Normalization in Deep Residual Networks with Concatenated "
    "Rectified Linear Units. AAAI 2017"
)


def outside_blocks(factory: LayerFactory) -> LayerFactory:
    """For layers outside the blocks, where CReLU does not act."""
    crelu = factory.nonlinearity == "crelu"
    return dataclasses.replace(factory, nonlinearity="relu") if crelu else factory


def classifier_factory(factory: LayerFactory, head_initializer: Initializer | None) -> LayerFactory:
    """For the classifier: He-normal by fan-out starts few classes far too large."""
    if head_initializer is None and factory.initializer == "he_normal":
        head_initializer = "glorot_uniform"
    return dataclasses.replace(factory, initializer=head_initializer or factory.initializer)


def head_layers(
    factory: LayerFactory, last_bn: bool, head_gamma: HeadGamma, dropout: float = 0.0
) -> list[keras.Layer]:
    """Between the pooling and the classifier.

    Raises:
        ZooError: `head_gamma` without a last batch normalization.
    """
    if head_gamma != "ones" and not last_bn:
        raise ZooError(f"head_gamma is of a last_bn. Received: head_gamma={head_gamma!r}")
    head: list[keras.Layer] = []
    if last_bn:
        head.append(factory.batch_norm("head_norm", _GAMMA[head_gamma]()))
    if dropout:
        head.append(layers.Dropout(dropout, name="head_drop"))
    return head
