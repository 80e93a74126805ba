"""What the residual families for 32x32 and for 224x224 images share."""

import dataclasses

import keras
from keras import layers

from zoo.layers import BatchNormalization
from zoo.layers.batch_normalization import BATCH_NORM
from zoo.layers.layer_factory import LayerFactory

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


def classifier_factory(factory: LayerFactory) -> LayerFactory:
    """For the classifier: He-normal by fan-out starts few classes far too large."""
    he = factory.initializer == "he_normal"
    return dataclasses.replace(factory, initializer="glorot_uniform") if he else factory


def head_layers(last_bn: bool, dropout: float = 0.0) -> list[keras.Layer]:
    """Between the pooling and the classifier."""
    head: list[keras.Layer] = []
    if last_bn:
        head.append(BatchNormalization(**BATCH_NORM, name="head_norm"))
    if dropout:
        head.append(layers.Dropout(dropout, name="head_drop"))
    return head
