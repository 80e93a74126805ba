"""README.md of a checkpoint: metadata for the Hugging Face Hub, then a page for people."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.checkpoint.card import KERAS_FILES, Card
from zoo.registry import find

# The errors by epoch, as a picture.
CURVE_FILE = "curve.png"

_FIND = (
    'objects = zoo.detection.predict(model, "picture.png")  # boxes, scores, labels, masks\n'
    'zoo.detection.draw("picture.png", objects, model.zoo_card.labels).save("objects.png")'
)
_USE = {
    "image-classification": (
        'zoo.predict(model, "picture.png", top=5)  # [(label, probability), …]'
    ),
    "object-detection": _FIND.replace(", masks", ""),
    "image-segmentation": _FIND,
    "image-feature-extraction": ('features = model.predict(zoo.preprocess(model, "picture.png"))'),
}

_NEW_HEAD = '\n\nmodel = zoo.load("{}", num_classes=5)  # pretrained body, new head'

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!&$])")


def readme(card: Card, source: str | None = None, curve: bool = False) -> str:
    """The model card of a checkpoint, YAML front matter first.

    Args:
        card: of the checkpoint.
        source: what `zoo.load` takes to load it, "hf://org/name"; None for the card's name.
        curve: whether `CURVE_FILE` lies beside it.
    """
    source, data = source or card.name, card.training.data
    parts = [
        f"---\n{_yaml(_metadata(card))}---",
        f"# {_text(card.name)}",
        f"`{card.architecture}`, {card.params:,} parameters, "
        f"{f'trained on {_text(data)}, ' if data else ''}"
        "for [Keras](https://keras.io) 3 on TensorFlow, JAX or PyTorch. It takes "
        f"{card.preprocess.size[0]}x{card.preprocess.size[1]} pixels in "
        f"{'colour' if card.preprocess.channels == 3 else 'grey'}; `zoo.preprocess` makes them of "
        "pictures of any size.",
        _code(
            "import zoo\n\n"
            f'model = zoo.load("{source}")\n'
            f"{_USE[_task(card)]}" + (_NEW_HEAD.format(source) if card.head else ""),
            "python",
        ),
    ]
    if card.metrics:
        rows = [(m.dataset, m.split, m.name, f"{m.value:.6g}", f"{m.n:,}") for m in card.metrics]
        commands = dict.fromkeys(m.command for m in card.metrics)
        parts += [
            "## Measured",
            _table(("data", "split", "metric", "value", "examples"), rows),
            "Measured by this project on the files of this folder, with:",
            _code("\n".join(commands), "sh"),
        ]
    else:
        parts.append("Nothing was measured with these weights.")
    training = card.training
    parts += ["## Training", _table(("what", "value"), _facts(card))]
    if card.notes:
        parts.append("\n".join(f"* {_text(note)}" for note in card.notes))
    if card.terms:
        parts.append(f"Terms of the training data: {_text(card.terms)}.")
    if training.published:
        parts.append(
            f"Published, by the paper, for its own training: {_text(training.published)}. "
            "That is not a measurement of these weights."
        )
    if card.citation:
        parts += ["## Citation", _code(card.citation, "")]
    parts += ["## Files", _text(_storage(card)), _without_zoo(card, source)]
    if curve:
        parts.append(f"![Error by epoch]({CURVE_FILE})")
    return "\n\n".join(parts) + "\n"


def _task(card: Card) -> str:
    """The Hub's name of what the model is for."""
    if find(card.architecture).task == "classification":
        return "image-classification" if card.head else "image-feature-extraction"
    return "image-segmentation" if card.args.get("masks", True) else "object-detection"


def _facts(card: Card) -> list[tuple[str, str]]:
    training = card.training
    origin = [("weights before", str(training.origin))] if training.origin else []
    if training.recipe:
        command = " ".join(["python -m training.train", training.recipe, *training.settings])
        facts = [
            ("command", f"{command} --data-dir DATA"),
            *origin,
            ("commit", training.commit),
            ("epochs", str(training.epochs)),
            ("seed", str(training.seed)),
            ("backend, device", f"{training.backend}, {training.device}"),
            ("time", _duration(training.wall_time)),
        ]
    else:  # by a program of the author's own, who may have said little
        facts = [
            ("program", "of the author's own, not a recipe of the zoo"),
            ("settings", ", ".join(training.settings)),
            *origin,
            ("commit", training.commit),
            ("epochs", str(training.epochs or "")),
            ("backend, device", ", ".join(filter(None, (training.backend, training.device)))),
            ("time", _duration(training.wall_time) if training.wall_time else ""),
        ]
        facts = [(what, value) for what, value in facts if value]
    if training.curve:
        epoch, train_error, _ = training.curve[-1]
        facts.append((f"training error, epoch {epoch}", f"{train_error:.6g}"))
    if card.batch_norm:
        norm = card.batch_norm
        facts.append(("BatchNorm", f"epsilon {norm.epsilon:g}, momentum {norm.momentum:g}"))
    if training.recalibrated:
        text = f"estimated anew from {training.recalibrated:,} training images"
        facts.append(("BatchNorm statistics", text))
    return facts


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{seconds / 60:.3g} minutes"


def _storage(card: Card) -> str:
    kind = "float32"
    if card.dtype == "float16":
        kind = "float16 (kernels; vectors are float32)"
    files = card.weight_files
    size = sum(card.files[name].size for name in files)
    names = files[0] if len(files) == 1 else f"{files[0]} to {files[-1]}"
    return (
        f"{names}: {size:,} bytes, {kind}, keyed by variable path. zoo.json: everything "
        f"else; its hash of the weights is checked at every load. Version {card.version}. "
        f"Licence: {card.license}. Requires {card.requires}."
    )


def _without_zoo(card: Card, source: str) -> str:
    """How people without the zoo read the files."""
    plain = "Any reader of safetensors reads the weights."
    if not set(KERAS_FILES) <= card.files.keys():
        return f"{plain} The network itself takes the zoo."
    return (
        f'Without the zoo: `keras.saving.load_model("{source}")` gives a network of Keras\'s own '
        "layers with the same outputs, for inference: regularizers, constraints and tied kernels "
        f"of the training are not in it, and images are not preprocessed. {plain}"
    )


def _metadata(card: Card) -> dict[str, Any]:
    license_id = card.license.lower()
    known = _HUB_ID.fullmatch(license_id) is not None and "/" not in license_id
    metadata: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": _task(card),
        "license": license_id if known else "other",
    }
    if not known:
        metadata["license_name"] = card.license
    if _HUB_ID.fullmatch(card.training.data):
        metadata["datasets"] = [card.training.data]
    metadata["tags"] = ["keras", "zoo", _task(card), card.architecture]
    if card.metrics:
        metadata["model-index"] = [{"name": card.name, "results": _results(card)}]
    return metadata


def _results(card: Card) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list] = {}
    for metric in card.metrics:
        groups.setdefault((metric.dataset, metric.split), []).append(metric)
    return [
        {
            "task": {"type": _task(card)},
            "dataset": {"name": dataset, "type": dataset, "split": split},
            "metrics": [{"type": m.name, "name": m.name, "value": m.value} for m in metrics],
        }
        for (dataset, split), metrics in groups.items()
    ]


def _yaml(value: Any, indent: str = "") -> str:
    """Block YAML; every scalar as JSON, which is YAML: no text can end a string or a document."""
    if isinstance(value, Mapping):
        return "".join(
            f"{indent}{key}: {_scalar(v)}\n"
            if not isinstance(v, Mapping | list)
            else f"{indent}{key}:\n{_yaml(v, indent + '  ')}"
            for key, v in value.items()
        )
    lines = ""
    for item in value:
        if isinstance(item, Mapping):
            lines += indent + "- " + _yaml(item, indent + "  ")[len(indent) + 2 :]
        else:
            lines += f"{indent}- {_scalar(item)}\n"
    return lines


def _scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # JSON's 1e-05 is text in YAML 1.1.
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text


def _text(text: str) -> str:
    """In one line, nothing of it Markdown or HTML."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *[tuple(map(_text, row)) for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _code(text: str, language: str) -> str:
    """A fenced block with a fence longer than any in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.strip()}\n{fence}"
