"""Errors of the zoo: all are `ValueError`s, for code that does not know the zoo."""

import difflib
from collections.abc import Iterable


class ZooError(ValueError):
    """Something given to the zoo is wrong; the message says what, and what would be right."""


class UnknownNameError(ZooError):
    """No model, checkpoint, recipe, … of this name."""

    def __init__(self, kind: str, name: object, known: Iterable[str], hint: str = ""):
        known = sorted(known)
        # A checkpoint's name is "architecture.tag": compare case-insensitively, the typical slip.
        by_lower = {k.lower(): k for k in known}
        lower = str(name).lower()
        near = difflib.get_close_matches(lower, by_lower, n=5, cutoff=0.5)
        message = f"Unknown {kind}: {name!r}."
        if near:  # of those that are alike, one that only ends early comes first
            nearest = next((known for known in near if known.startswith(lower)), near[0])
            message += f" Did you mean {by_lower[nearest]!r}?"
        elif known:
            message += f" Known: {', '.join(known[:8])}{', …' if len(known) > 8 else ''}."
        if hint:
            message += f" {hint}"
        super().__init__(message)


class CheckpointError(ZooError):
    """A checkpoint folder cannot be trusted or does not fit the model. Nothing of it was loaded."""


class HubError(ZooError):
    """The Hugging Face Hub did not give what was asked for; the message says what to do."""


class ImageError(ZooError):
    """A file or array is not an image that the zoo can read."""


class MissingFileError(ZooError, FileNotFoundError):
    """A file that is needed is not there; the message says where it was looked for."""
