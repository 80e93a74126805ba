"""The report of `zoo probe`: one HTML file of its own, its pictures, and JSON for programs."""

import base64
import html
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.signals.drawing import draw
from zoo.signals.examination import Examination
from zoo.signals.verdict import Finding

CAPTIONS = {
    "gradient_norm": "Where it grows towards the input (left), gradients explode.",
    "error_ratio": "Mean square of the gradient at each weight layer's output: flat is best.",
    "activations": "Units that are never active are dying, those that always are, linear.",
    "spectra": "Eigenvalues of the second moment of a layer's inputs: the steeper, the harder "
    "gradient descent has it.",
    "weights": "Condition number in the infinity norm; largest singular value of the gradient "
    "over that of the weight.",
}

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; font-size: 85%; }}
th, td {{ padding: 0.1em 0.7em; text-align: right; border-bottom: 1px solid #ddd; }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 1.5em 0; }}
img {{ max-width: 100%; }}
small, figcaption {{ color: #555; }}
</style>
</head>
<body>
"""


def write_report(
    path: str | os.PathLike,
    examination: Examination,
    findings: Sequence[Finding],
    notes: Iterable[str] = (),
) -> list[Path]:
    """Writes the report and its pictures.

    The HTML file holds its pictures itself; it has no scripts and asks for nothing from anywhere.
    All text in it is escaped, also that of a model from elsewhere.

    Args:
        path: Path of the HTML file; the pictures lie beside it, `NAME_gradient_norm.png` and so on.
            Its folder is made where it is missing, files that are there are replaced.
        examination: `Examination` of `examine`.
        findings: List of `Finding`s of `verdict`.
        notes: Strings, sentences on model and data.

    Returns:
        List of paths of what was written, the HTML file first.

    Raises:
        ZooError: Matplotlib is not installed.
        OSError: A file cannot be written.
    """
    path = Path(path)
    pictures = draw(examination)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_html(examination, findings, pictures, notes), encoding="utf-8")
    written = [path]
    for name, png in pictures.items():
        written.append(path.with_name(f"{path.stem}_{name}.png"))
        written[-1].write_bytes(png)
    return written


def to_html(
    examination: Examination,
    findings: Sequence[Finding],
    pictures: Mapping[str, bytes] | None = None,
    notes: Iterable[str] = (),
) -> str:
    """The report as HTML.

    Args:
        examination: `Examination` of `examine`.
        findings: List of `Finding`s of `verdict`.
        pictures: Dict, name -> PNG, of `draw`; None for a report without any.
        notes: Strings, sentences on model and data.

    Returns:
        String, a whole page.

    Example:

    >>> keys = ["gradient_norm", "error_moment", "domination", "weight_kappa", "coherence"]
    >>> keys += ["activations", "running_deviation", "input_kappa"]
    >>> page = to_html(Examination("a < b", 32, dict.fromkeys(keys, {}), {}), [])
    >>> "<title>Signals of a &lt; b</title>" in page
    True
    """
    title = f"Signals of {examination.model}"
    parts = [_HEAD.format(title=html.escape(title)), f"<h1>{html.escape(title)}</h1>\n<ul>"]
    for finding in findings:
        compared = f"{finding.value:.3g}; threshold {finding.threshold:.3g}. {finding.paper}"
        text = html.escape(finding.text)
        parts.append(f"<li><p>{text}<br><small>{html.escape(compared)}</small></p></li>")
    parts.append("</ul>")
    parts += [f"<p>{html.escape(note)}</p>" for note in notes]
    for name, png in (pictures or {}).items():
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        caption = html.escape(CAPTIONS[name])
        alt = html.escape(name.replace("_", " "))
        parts.append(
            f'<figure><img src="{source}" alt="{alt}"><figcaption>{caption}</figcaption></figure>'
        )
    signals, spectra = examination.signals, examination.spectra
    of_weights = {
        "gradient norm": "gradient_norm",
        "error moment": "error_moment",
        "gradient / weight": "domination",
        "condition of W": "weight_kappa",
        "coherence": "coherence",
    }
    parts += _table("Weights", {title: signals[key] for title, key in of_weights.items()})
    for key, heading in (
        ("activations", "Activations"),
        ("running_deviation", "Running deviations of batch normalization"),
    ):
        rows = signals[key]
        columns = {heading.lower(): rows}
        if key == "activations" and rows:
            titles = next(iter(rows.values()))
            columns = {t: {layer: row[t] for layer, row in rows.items()} for t in titles}
        parts += _table(heading, columns)
    parts += _table(
        "Inputs of a few layers",
        {
            "inputs": {layer: c.inputs.size for layer, c in spectra.items()},
            "lambda_max": {layer: c.inputs.lambda_max for layer, c in spectra.items()},
            "lambda_max / lambda_50%": signals["input_kappa"],
            "lambda_max of dl/dh": {k: c.gradients.lambda_max for k, c in spectra.items()},
        },
    )
    return "\n".join([*parts, "</body>\n</html>\n"])


def to_json(
    examination: Examination, findings: Sequence[Finding], notes: Iterable[str] = ()
) -> dict[str, Any]:
    """The report for programs; numbers that are not finite are None.

    Args:
        examination: `Examination` of `examine`.
        findings: List of `Finding`s of `verdict`.
        notes: Strings, sentences on model and data.

    Returns:
        Dict {"model", "examples", "notes", "verdict": [{"kind", "text", "value", "threshold",
        "paper", "layers"}, …], "signals": {signal: {layer: number}}, "spectra": {layer:
        [eigenvalue, …]}}.

    Example:

    >>> to_json(Examination("net", 32, {"gradient_norm": {"conv": math.inf}}, {}), [])["signals"]
    {'gradient_norm': {'conv': None}}
    """
    spectra = {k: c.inputs.eigenvalues.tolist() for k, c in examination.spectra.items()}
    return {
        "model": examination.model,
        "examples": examination.examples,
        "notes": list(notes),
        "verdict": [
            _finite(vars(finding) | {"layers": list(finding.layers)}) for finding in findings
        ],
        "signals": _finite(examination.signals),
        "spectra": _finite(spectra),
    }


def _table(heading: str, columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    layers = list(dict.fromkeys(layer for values in columns.values() for layer in values))
    if not layers:
        return []
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in columns)
    lines = [f"<h2>{html.escape(heading)}</h2>\n<table>", f"<tr><th>layer</th>{titles}</tr>"]
    for layer in layers:
        cells = "".join(f"<td>{_cell(values.get(layer))}</td>" for values in columns.values())
        lines.append(f"<tr><td>{html.escape(layer)}</td>{cells}</tr>")
    return [*lines, "</table>"]


def _cell(value: float | int | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
