"""What was published, or would be."""

from dataclasses import dataclass
from typing import Literal

from zoo.checkpoint.card import CARD_FILE
from zoo.hub.remote import PREFIX


@dataclass(frozen=True)
class Change:
    """What happens to one file of the repository; size in bytes and SHA-256 as it will be."""

    what: Literal["new", "changed", "unchanged", "removed"]
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """What was published or, by a dry run, would be. Its `str` is a table for people.

    Attributes:
        repo: str, "org/name".
        name: str, of the checkpoint.
        version: int, of the checkpoint.
        commit: str, that holds it; None for a dry run with something to send.
        tag: str, of that commit, or None.
        files: tuple of Change, all of the checkpoint, and those that are removed.
        rounding: float, largest relative change of a tensor by float16, ||stored - w|| / ||w||.
        remark: str, what the files lack, in words.

    Example:

    >>> file = Change("new", "zoo.json", 1024, "0" * 64)
    >>> print(Published("me/net", "plainnet44.mine", 1, None, None, (file,), 0.0, ""))
    plainnet44.mine, version 1: hf://me/net
      new                  1,024  zoo.json
    1 files, 1,024 bytes to send: this was a dry run
    """

    repo: str
    name: str
    version: int
    commit: str | None
    tag: str | None
    files: tuple[Change, ...]
    rounding: float
    remark: str

    @property
    def url(self) -> str:
        """What `zoo.load` takes: exactly this state, where it is known."""
        return f"{PREFIX}{self.repo}" + (f"@{self.commit}" if self.commit else "")

    @property
    def pin(self) -> dict[str, dict[str, str]]:
        """The entry of `pins.json` that makes the name a built-in one; {} after a dry run."""
        if self.commit is None:
            return {}
        card = next(change for change in self.files if change.name == CARD_FILE)
        entry = {"repo": self.repo, "commit": self.commit, "sha256": card.sha256}
        return {self.name: entry}

    def __str__(self) -> str:
        sent = [c for c in self.files if c.what in ("new", "changed")]
        lines = [
            f"{self.name}, version {self.version}: {self.url}"
            + (f", tag {self.tag}" if self.tag else ""),
            *(f"  {c.what:9}  {c.size:15,}  {c.name}" for c in self.files),
            f"{len(sent)} files, {sum(c.size for c in sent):,} bytes "
            + ("were sent" if self.commit else "to send: this was a dry run"),
        ]
        if self.rounding:
            lines.append(f"float16 changes a tensor by {self.rounding:.2g} of its norm at most")
        if self.remark:
            lines.append(f"without the zoo only as safetensors: {self.remark}")
        return "\n".join(lines)
