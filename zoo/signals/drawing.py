"""The pictures of a report. Needs matplotlib."""

import io
import math
from collections.abc import Mapping
from typing import Any

from zoo.errors import ZooError
from zoo.signals.examination import Examination
from zoo.signals.verdict import DOMINATED


def draw(examination: Examination) -> dict[str, bytes]:
    """Pictures of an examination, as PNG files.

    Args:
        examination: `Examination` of `examine`.

    Returns:
        Name, good for a file -> PNG; a picture that would be empty is left out.

    Raises:
        ZooError: Matplotlib is not installed.
    """
    signals = examination.signals
    pictures = {
        "gradient_norm": _lines(
            {"||dl/dW||": signals["gradient_norm"]}, "norm of the weight gradient", "weight layer"
        ),
        "error_ratio": _lines(
            {"q / q of the last layer": _over_last(signals["error_moment"])},
            "error moment over the last layer's",
            "weight layer",
        ),
        "activations": _activations(signals["activations"]),
        "spectra": _spectra(examination),
        "weights": _lines(
            {
                "condition number": signals["weight_kappa"],
                "gradient / weight (domination)": signals["domination"],
                f"{DOMINATED:g} of its median": _limit(signals["domination"]),
            },
            "weights",
            "weight layer",
        ),
    }
    return {name: _png(figure) for name, figure in pictures.items() if figure is not None}


def _lines(curves: Mapping[str, Mapping[str, float]], title: str, what: str) -> Any:
    figure, axes = _figure(title, f"{what}, from the input on")
    drawn = 0
    for label, values in curves.items():
        points = [(i, v) for i, v in enumerate(values.values()) if 0 < v < math.inf]
        if points:
            drawn += 1
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 60 else "")
            axes.lines[-1].set_label(label)
    if not drawn:
        return None
    axes.set_yscale("log")
    if len(curves) > 1:
        axes.legend()
    return figure


def _activations(activations: Mapping[str, Mapping[str, float]]) -> Any:
    if not activations:
        return None
    figure, axes = _figure("activations", "activation layer, from the input on")
    rows = list(activations.values())
    for key, label in (("mean_absolute", "mean |a|"), ("active", "share active")):
        axes.plot([row[key] for row in rows], label=label, marker="." if len(rows) < 60 else "")
    for key, label in (("dying", "share of units never active"), ("full", "… always active")):
        axes.plot([row[key] / row["units"] for row in rows], label=label, linestyle="--")
    axes.legend()
    return figure


def _spectra(examination: Examination) -> Any:
    figure, axes = _figure("spectra of the layers' inputs", "eigenvalue, % of all")
    axes.set_ylabel("over the largest")
    drawn = 0
    for layer, conditioning in examination.spectra.items():
        values = conditioning.inputs.eigenvalues
        values = values[values > 0]
        if len(values):
            drawn += 1
            at = [100 * (i + 1) / conditioning.inputs.size for i in range(len(values))]
            axes.plot(at, values / values[0], marker="." if len(values) < 60 else "")
            axes.lines[-1].set_label(f"{drawn}: {layer}")
    if not drawn:
        return None
    axes.set_yscale("log")
    for text in axes.legend().get_texts():
        text.set_parse_math(False)  # a name is no formula
    return figure


def _over_last(moments: Mapping[str, float]) -> dict[str, float]:
    last = list(moments.values())[-1] if moments else math.nan
    return {name: q / last if last else math.nan for name, q in moments.items()}


def _limit(ratios: Mapping[str, float]) -> dict[str, float]:
    finite = sorted(v for v in ratios.values() if math.isfinite(v))
    if not finite:
        return {}
    limit = DOMINATED * finite[len(finite) // 2]
    return dict.fromkeys(ratios, limit)


def _figure(title: str, xlabel: str) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ZooError(
            f"A report needs matplotlib ({error}): pip install zoo[probe], or ask for --json."
        ) from error
    figure = Figure(figsize=(7, 3.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=xlabel)
    axes.grid(alpha=0.3)
    return figure, axes


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
