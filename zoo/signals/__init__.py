"""The papers' instruments, for any Keras model: `Probe` reads signals, the others are made of it.

Reports: `zoo.signals.report`, `zoo.signals.verdict`; while training:
`zoo.callbacks.SignalMonitor`.
"""

import warnings
from typing import Any

from zoo.signals.activations import (
    ActivationStatistics,
    activation_layers,
    activation_statistics,
)
from zoo.signals.batch_norm import running_deviations
from zoo.signals.blocks import block_change, block_changes
from zoo.signals.conditioning import LayerConditioning, layer_conditioning
from zoo.signals.curvature import Curvature, fisher, gradient_second_moment
from zoo.signals.last_layer import LastLayer, last_layer_analysis
from zoo.signals.linear import LinearSignals
from zoo.signals.nonlinearities import activation_ratios
from zoo.signals.probe import Probe
from zoo.signals.profile import error_moments, gradient_norms
from zoo.signals.ratios import ChannelRatios, block_ratios, channel_ratios, measured_ratios
from zoo.signals.singularity import Singularity, unit_singularity
from zoo.signals.taps import Tap, gradient_norm, identity, layers_of, mean_square
from zoo.signals.theory.batch_norm import (
    BatchNormRatios,
    batch_norm_errors,
    batch_norm_jacobian,
    batch_norm_ratios,
    batch_norm_spectrum,
)
from zoo.signals.theory.correlation import coherence, filter_correlations
from zoo.signals.theory.covariance import Covariance
from zoo.signals.theory.depth import growth_per_layer, moment_ratios, neighbour_ratios
from zoo.signals.theory.matrices import condition_number, spectral_norm
from zoo.signals.theory.propositions import (
    CanonicalError,
    SolutionChange,
    canonical_error,
    residual_covariance,
    solution_change,
)
from zoo.signals.theory.ratios import Ratios, linear_ratios, pair_ratios
from zoo.signals.theory.similarity import mean_cosine, singular_condition
from zoo.signals.theory.spectrum import Spectrum, largest_eigenvalue
from zoo.signals.weights import map_kernels, weight_domination

__all__ = [
    "ActivationStatistics",
    "BatchNormRatios",
    "CanonicalError",
    "ChannelRatios",
    "Covariance",
    "Curvature",
    "LastLayer",
    "LayerConditioning",
    "LinearSignals",
    "Probe",
    "Ratios",
    "Singularity",
    "SolutionChange",
    "Spectrum",
    "Tap",
    "activation_layers",
    "activation_ratios",
    "activation_statistics",
    "batch_norm_errors",
    "batch_norm_jacobian",
    "batch_norm_ratios",
    "batch_norm_spectrum",
    "block_change",
    "block_changes",
    "block_ratios",
    "canonical_error",
    "channel_ratios",
    "coherence",
    "condition_number",
    "error_moments",
    "filter_correlations",
    "fisher",
    "gradient_norm",
    "gradient_norms",
    "gradient_second_moment",
    "growth_per_layer",
    "identity",
    "largest_eigenvalue",
    "last_layer_analysis",
    "layer_conditioning",
    "layers_of",
    "linear_ratios",
    "map_kernels",
    "mean_cosine",
    "mean_square",
    "measured_ratios",
    "moment_ratios",
    "neighbour_ratios",
    "pair_ratios",
    "residual_covariance",
    "running_deviations",
    "singular_condition",
    "solution_change",
    "spectral_norm",
    "unit_singularity",
    "weight_domination",
]

_RENAMED = {
    "of_kernels": "map_kernels",
    "raw": "identity",
    "scaling_ratios": "measured_ratios",
}


def __getattr__(name: str) -> Any:
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    now = _RENAMED[name]
    warnings.warn(
        f"zoo.signals.{name} is called zoo.signals.{now} now.", DeprecationWarning, stacklevel=2
    )
    return globals()[now]
