"""What the tables of architectures say, without a backend: for programs that only list and tell.

`catalog.json` is written by `python -m training.models_page` and compared with the tables by the
tests.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from zoo.errors import UnknownNameError

PATH = Path(__file__).with_name("catalog.json")


@dataclass(frozen=True)
class Entry:
    """An architecture.

    Attributes:
        name: public name.
        family: name of the function that builds it.
        task: "classification" or "detection".
        paper: the source.
        published: the figures that the paper prints for it, in words.
        weights: tag of the checkpoint that `zoo.load(name)` gives, None while there is none.
        params: number of weights with default options, moving statistics among them.
        multiply_adds: of convolutions and dense layers, for one input of the default size.
        options: name -> (default, what is allowed, in words).

    Example:

    >>> zoo.catalog.find("plainnet44").options["width"]
    (16, 'an integer from 1 to 4096')
    """

    name: str
    family: str
    task: str
    paper: str
    published: str
    weights: str | None
    params: int
    multiply_adds: int
    options: Mapping[str, tuple[Any, str]]


@functools.cache
def entries() -> dict[str, Entry]:
    """All architectures by name, in the order of `zoo.list_models()`.

    Returns:
        dict of str to Entry.

    Example:

    >>> entries()["plainnet44"].weights
    'cifar10'
    """
    content = json.loads(PATH.read_text(encoding="utf-8"))
    tables = [
        {name: (_plain(default), allowed) for name, (default, allowed) in table.items()}
        for table in content["options"]
    ]
    return {
        name: Entry(name, **fields | {"options": tables[fields["options"]]})
        for name, fields in content["models"].items()
    }


def find(name: str) -> Entry:
    """The architecture called `name`.

    Args:
        name: str, one of `list_models()`.

    Returns:
        Entry.

    Raises:
        UnknownNameError: there is none; names the nearest.

    Example:

    >>> find("plainnet44").family
    'plainnet'
    """
    if name not in entries():
        raise UnknownNameError("model", name, entries(), "See zoo.list_models().")
    return entries()[name]


def list_models(pattern: str = "*") -> list[str]:
    """Names of the architectures that match a pattern, as `zoo.list_models`.

    Args:
        pattern: str, of fnmatch.

    Returns:
        list of str.

    Example:

    >>> list_models("plainnet?4")
    ['plainnet44', 'plainnet34']
    """
    return [name for name in entries() if fnmatchcase(name, pattern)]


def write(rows: Mapping[str, Entry]) -> None:
    """Writes `catalog.json`, where equal options of several architectures stand once.

    Args:
        rows: mapping of str to Entry.

    Example:

    >>> write(entries())  # doctest: +SKIP
    """
    tables: list[str] = []
    models = []
    for name, entry in rows.items():
        table = json.dumps(entry.options)
        if table not in tables:
            tables.append(table)
        fields = vars(entry) | {"options": tables.index(table)}
        del fields["name"]
        models.append(f"{json.dumps(name)}: {json.dumps(fields, ensure_ascii=False)}")
    text = '{{\n"options": [\n{}\n],\n"models": {{\n{}\n}}\n}}\n'
    PATH.write_text(text.format(",\n".join(tables), ",\n".join(models)), encoding="utf-8")


def _plain(default: Any) -> Any:
    return tuple(default) if isinstance(default, list) else default
