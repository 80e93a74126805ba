"""What the signals of a network say, in words, with the thresholds that it rests on.

The papers show what goes wrong, and mostly leave open from where on it matters: where they give no
threshold, the one here is ours, wide enough for nets that are known to train.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.signals.theory.depth import growth_per_layer

# Factor from the lowest to the highest layer: what a plain BN-ReLU net has after 12 of them.
TREND = 10.0
# Layers that a trend must be seen over.
LEAST_LAYERS = 5
# A layer's sigma_max(dL/dW) / sigma_max(W) over the median of all layers.
DOMINATED = 1e-2
# Share of a layer's units that never, or always, fire.
SILENT = 0.1
# |cos| of two filters, in layers of no more filters than weights of each.
ALIKE = 0.95
# lambda_max over the median eigenvalue of the second moment of a layer's inputs.
INPUT_KAPPA = 1e4
# ||W||_inf ||W^+||_inf. Square Gaussian kernels of 512 units have 1e4 to 1e6.
WEIGHT_KAPPA = 1e8

HU = 'Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves"'
XIE = 'Xie et al., "All You Need is Beyond a Good Init"'
HUANG = (
    'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of DNNs"'
)
SHANG = (
    'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated Rectified '
    'Linear Units"'
)
OYEDOTUN = (
    'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
    'Connections"'
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that stands out.

    Attributes:
        kind: "broken", "exploding", "vanishing", "errors", "dominated", "dying", "full", "alike",
            "deviation", "inputs" or "weights"; "well" where nothing stands out.
        text: In words.
        value: That was compared, of the worst layer.
        threshold: With what.
        paper: That describes it.
        layers: Names of those it is about, the worst first.
    """

    kind: str
    text: str
    value: float
    threshold: float
    paper: str
    layers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text


def verdict(signals: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """What stands out in the signals of a network.

    Args:
        signals: Any of these, each layer -> number, the lowest layer first:
            "gradient_norm" (`gradient_norms`), "error_moment" (`error_moments`), "domination"
            (`weight_domination`), "weight_kappa" (`condition_number`), "coherence" (`coherence`;
            layers of more filters than weights of each have twins by necessity, and are to be
            left out), "input_kappa" (`Spectrum.kappa(50)`), "running_deviation"
            (`running_deviations`); and "activations": layer -> `ActivationStatistics.summary()`.

    Returns:
        Findings, what hinders training most first; one of the kind "well" where there are none.

    Example:

    >>> norms = {f"conv{i}": 1.21**-i for i in range(44)}
    >>> (finding,) = verdict({"gradient_norm": norms})
    >>> finding.kind, finding.threshold
    ('exploding', 10.0)
    >>> finding.text[:53]
    'The gradient norm grows 1.21x per layer towards the i'
    """
    judges = (
        ("gradient_norm", _gradients),
        ("error_moment", _errors),
        ("domination", _dominated),
        ("activations", _silent),
        ("coherence", _alike),
        ("running_deviation", _deviations),
        ("input_kappa", _ill_conditioned_inputs),
        ("weight_kappa", _ill_conditioned_weights),
    )
    findings = [
        finding for key, judge in judges if signals.get(key) for finding in judge(signals[key])
    ]
    return findings or [_well(signals)]


def _gradients(norms: Mapping[str, float]) -> list[Finding]:
    """Gradients that explode, vanish or are no numbers: growth^(L - 1) outside [1 / 10, 10]."""
    findings = _drift("gradients", "gradient norm", norms, f"{HU}, section 2 and figure 1")
    if not findings or findings[0].kind == "broken":
        return findings
    (drift,) = findings
    kind = "exploding" if drift.value > 1 else "vanishing"
    return [dataclasses.replace(drift, kind=kind, text=f"{drift.text[:-1]}: {kind}.")]


def _errors(moments: Mapping[str, float]) -> list[Finding]:
    """Errors whose root mean square leaves the scale: growth^(L - 1) outside [1 / 10, 10]."""
    roots = {name: math.sqrt(q) for name, q in moments.items()}
    source = f"{XIE}, sections 3.3 and 5.3, figures 3 and 4"
    return _drift("errors", "root mean square of the error", roots, source)


def _dominated(ratios: Mapping[str, float]) -> list[Finding]:
    """Layers whose gradient is feeble beside their weight: below 1 / 100 of the median layer."""
    finite = {name: r for name, r in ratios.items() if math.isfinite(r)}
    if len(finite) < 2:
        return []
    median = float(np.median(list(finite.values())))
    relative = {name: r / median for name, r in finite.items() if r < DOMINATED * median}
    if not relative:
        return []
    names = sorted(relative, key=relative.__getitem__)
    worst = names[0]
    text = (
        f"{_layers(names)} weight-dominated: the gradient of {worst} is {finite[worst]:.2g} of its "
        f"weight (largest singular values); the median layer's is {median:.2g}."
    )
    source = f"{HUANG}, definition 1 and section 4.1"
    return [Finding("dominated", text, relative[worst], DOMINATED, source, tuple(names))]


def _silent(activations: Mapping[str, Mapping[str, float]]) -> list[Finding]:
    """Layers of which a tenth of the units never fire, or always do."""
    findings = []
    for kind, text in (("dying", "never fire"), ("full", "always fire, as good as linear")):
        shares = {
            name: a[kind] / a["units"]
            for name, a in activations.items()
            if a[kind] >= SILENT * a["units"]
        }
        if not shares:
            continue
        names = sorted(shares, key=shares.__getitem__, reverse=True)
        counted = ", ".join(
            f"{activations[name][kind]} of {activations[name]['units']} units of {name}"
            for name in names[:3]
        )
        rest = f", and units of {len(names) - 3} more layers" if len(names) > 3 else ""
        source = f"{HUANG}, section 4.2 and figure A12"
        findings.append(
            Finding(
                kind, f"{counted}{rest} {text}.", shares[names[0]], SILENT, source, tuple(names)
            )
        )
    return findings


def _alike(coherences: Mapping[str, float]) -> list[Finding]:
    """Layers of which two filters are nearly the same, or opposite: |cos| of 0.95."""
    names = _above(coherences, ALIKE)
    if not names:
        return []
    worst = coherences[names[0]]
    text = f"Two filters of {_listed(names)} are nearly parallel: |cos| up to {worst:.3g}."
    source = f"{SHANG}, definition 2 and figure 3"
    return [Finding("alike", text, worst, ALIKE, source, tuple(names))]


def _deviations(running: Mapping[str, float]) -> list[Finding]:
    """Running deviations of batch normalization that grow where gradients have exploded."""
    source = f"{HU}, section 2.2 and figure 1, right"
    return _drift("deviation", "running deviation of batch normalization", running, source)


def _ill_conditioned_inputs(kappas: Mapping[str, float]) -> list[Finding]:
    """Layers whose inputs' second moment has lambda_max / lambda_50% above 10^4."""
    names = _above(kappas, INPUT_KAPPA)
    if not names:
        return []
    worst = kappas[names[0]]
    text = (
        f"The inputs of {_listed(names)} are ill-conditioned: the largest eigenvalue of their "
        f"second moment is {worst:.2g} times the median one."
    )
    source = f"{HUANG}, sections 3 and 3.1"
    return [Finding("inputs", text, worst, INPUT_KAPPA, source, tuple(names))]


def _ill_conditioned_weights(kappas: Mapping[str, float]) -> list[Finding]:
    """Kernels of an infinity-norm condition number above 10^8."""
    names = _above(kappas, WEIGHT_KAPPA)
    if not names:
        return []
    worst = kappas[names[0]]
    text = f"The weights of {_listed(names)} are ill-conditioned: {worst:.2g}."
    source = f"{OYEDOTUN}, section VI.A and figure 5"
    return [Finding("weights", text, worst, WEIGHT_KAPPA, source, tuple(names))]


@dataclasses.dataclass(frozen=True)
class _Trend:
    growth: float
    layers: int

    @property
    def whole(self) -> float:
        return self.growth ** (self.layers - 1)

    def __str__(self) -> str:
        verb, factor, whole = "grows", self.growth, self.whole
        if factor < 1:
            verb, factor, whole = "falls", 1 / factor, 1 / whole
        return (
            f"{verb} {factor:.2f}x per layer towards the input, over {self.layers} layers "
            f"({_number(whole)}x in all)"
        )


def _trend(values: Mapping[str, float]) -> _Trend | None:
    usable = {name: value for name, value in values.items() if 0 < value < math.inf}
    if len(usable) < LEAST_LAYERS:
        return None
    return _Trend(growth_per_layer(usable), len(usable))


def _drift(kind: str, what: str, values: Mapping[str, float], source: str) -> list[Finding]:
    """Of values that leave the scale along the depth, or are no numbers, or zeros."""
    for right, text in ((math.isfinite, "is not finite"), (bool, "is 0")):
        wrong = [name for name, value in values.items() if not right(value)]
        if wrong:
            text = f"The {what} {text} at {_listed(wrong)}."
            return [Finding("broken", text, values[wrong[0]], math.inf, source, tuple(wrong))]
    trend = _trend(values)
    if trend is None or 1 / TREND < trend.whole < TREND:
        return []
    threshold = TREND if trend.whole > 1 else 1 / TREND
    return [Finding(kind, f"The {what} {trend}.", trend.whole, threshold, source)]


def _well(signals: Mapping[str, Mapping[str, Any]]) -> Finding:
    known = ", ".join(key.replace("_", " ") for key in signals if signals[key])
    text = f"All well: nothing stands out in what was looked at ({known or 'nothing'})."
    trend = _trend(signals.get("gradient_norm") or {})
    if trend:
        text += f" The gradient norm {trend}."
    return Finding("well", text, trend.whole if trend else math.nan, TREND, f"{HU}, section 2")


def _above(values: Mapping[str, float], threshold: float) -> list[str]:
    names = [name for name, value in values.items() if value > threshold]
    return sorted(names, key=values.__getitem__, reverse=True)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more layers"


def _layers(names: list[str]) -> str:
    return f"Layer {names[0]} is" if len(names) == 1 else f"Layers {_listed(names)} are"


def _number(x: float) -> str:
    return f"{x:.3g}" if x < 1000 or x >= 1e7 else f"{x:,.0f}"
