"""The papers' instruments, for any Keras model: `Probe` reads signals, the others are made of it.

Reports: `zoo.signals.report`, `zoo.signals.verdict`; while training:
`zoo.callbacks.SignalMonitor`.
"""

from zoo.signals.activations import (
    ActivationStatistics,
    activation_layers,
    activation_statistics,
)
from zoo.signals.batch_norm import running_deviations
from zoo.signals.blocks import block_change, block_changes
from zoo.signals.conditioning import LayerConditioning, layer_conditioning
from zoo.signals.correlation import coherence, filter_correlations
from zoo.signals.covariance import Covariance
from zoo.signals.curvature import Curvature, fisher, gradient_second_moment
from zoo.signals.last_layer import LastLayer, last_layer_analysis
from zoo.signals.probe import Probe
from zoo.signals.profile import (
    error_moments,
    gradient_norms,
    growth_per_layer,
    moment_ratios,
    neighbour_ratios,
)
from zoo.signals.rates import Ratios, activation_ratios, linear_ratios, pair_ratios
from zoo.signals.scaling import block_ratios, scaling_ratios
from zoo.signals.spectrum import Spectrum, largest_eigenvalue
from zoo.signals.taps import Tap, gradient_norm, layers_of, mean_square, raw
from zoo.signals.weights import condition_number, of_kernels, spectral_norm, weight_domination

__all__ = [
    "ActivationStatistics",
    "Covariance",
    "Curvature",
    "LastLayer",
    "LayerConditioning",
    "Probe",
    "Ratios",
    "Spectrum",
    "Tap",
    "activation_layers",
    "activation_ratios",
    "activation_statistics",
    "block_change",
    "block_changes",
    "block_ratios",
    "coherence",
    "condition_number",
    "error_moments",
    "filter_correlations",
    "fisher",
    "gradient_norm",
    "gradient_norms",
    "gradient_second_moment",
    "growth_per_layer",
    "largest_eigenvalue",
    "last_layer_analysis",
    "layer_conditioning",
    "layers_of",
    "linear_ratios",
    "mean_square",
    "moment_ratios",
    "neighbour_ratios",
    "of_kernels",
    "pair_ratios",
    "raw",
    "running_deviations",
    "scaling_ratios",
    "spectral_norm",
    "weight_domination",
]
