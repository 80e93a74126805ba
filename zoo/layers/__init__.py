"""Layers of the papers, as ordinary Keras layers."""

from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.crelu import CReLU
from zoo.layers.layer_factory import LayerFactory
from zoo.layers.modulation import Modulation, ModulationSource
from zoo.layers.norm_prop import NormPropActivation, NormPropConv2D
from zoo.layers.residual_block import ResidualBlock
from zoo.layers.residual_stage import ResidualStage
from zoo.layers.seq_conv_pair import SeqConvPair2D
from zoo.layers.seq_dense_pair import SeqDensePair
from zoo.layers.symmetric_conv2d import SymmetricConv2D
from zoo.layers.symmetric_max_pool2d import SymmetricMaxPool2D

__all__ = [
    "BatchNormalization",
    "CReLU",
    "LayerFactory",
    "Modulation",
    "ModulationSource",
    "NormPropActivation",
    "NormPropConv2D",
    "ResidualBlock",
    "ResidualStage",
    "SeqConvPair2D",
    "SeqDensePair",
    "SymmetricConv2D",
    "SymmetricMaxPool2D",
]
