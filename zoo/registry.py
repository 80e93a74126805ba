"""Names of architectures."""

import functools
from fnmatch import fnmatchcase

from zoo.detection.variants import detectors_on
from zoo.errors import UnknownNameError
from zoo.models import large_resnet, maxnorm, mlp, plainnet, seqnet, small_resnet, vgg
from zoo.models.variant import Variant

FAMILIES = (plainnet, maxnorm, seqnet, small_resnet, large_resnet, vgg, mlp)


def variants(task: str | None = None) -> dict[str, Variant]:
    """The rows of all families by name, the detectors last.

    Args:
        task: str or None. "classification" or "detection", None for both.

    Returns:
        dict of str to `zoo.models.variant.Variant`.

    Example:

    >>> len(variants("classification")) > 70
    True
    """
    rows = {row.name: row for family in FAMILIES for row in family.VARIANTS} | _detectors()
    return {name: row for name, row in rows.items() if task in (None, row.task)}


@functools.cache
def _detectors() -> dict[str, Variant]:
    backbones = [row for family in FAMILIES for row in family.VARIANTS]
    return {row.name: row for row in detectors_on(backbones)}


def find(name: str) -> Variant:
    """The variant called `name`.

    Args:
        name: str, one of `zoo.list_models()`.

    Returns:
        Variant.

    Raises:
        UnknownNameError: there is none; names the nearest.

    Example:

    >>> find("plainnet44").fixed
    {'depth': 44}
    """
    known = variants()
    if name not in known:
        raise UnknownNameError("model", name, known, "See zoo.list_models().")
    return known[name]


def list_models(pattern: str = "*") -> list[str]:
    """Names of the architectures that match a pattern.

    Args:
        pattern: str, of fnmatch, e.g. "seqnet*".

    Returns:
        list of str, the names, in the order of the families' tables.

    Example:

    >>> zoo.list_models("plainnet?4")
    ['plainnet44', 'plainnet34']
    """
    return [name for name in variants() if fnmatchcase(name, pattern)]
