"""Repositories of the loopback Hub: snapshots of files, as git keeps them."""

import hashlib
from dataclasses import dataclass, field

LARGE = (".safetensors", ".h5", ".keras", ".png")


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class File:
    data: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        if not self.large:
            return git_blob(self.data)
        head = "version https://git-lfs.github.com/spec/v1"
        return git_blob(f"{head}\noid sha256:{self.sha256}\nsize {len(self.data)}\n".encode())

    @property
    def etag(self) -> str:
        """What the client calls the content: its blob in the cache, and "unchanged"."""
        return self.sha256 if self.large else self.oid

    def describe(self, path: str) -> dict:
        info = {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        if self.large:
            info["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": 130}
        return info


@dataclass
class Repo:
    """Snapshots by commit, branches and tags by name."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        lines = "".join(f"*{end} filter=lfs diff=lfs merge=lfs -text\n" for end in LARGE)
        self.commit({".gitattributes": File(lines.encode(), large=False)}, "initial commit")

    @property
    def head(self) -> str:
        return self.branches["main"]

    @property
    def files(self) -> dict[str, File]:
        """Of the head."""
        return self.commits[self.head]

    def commit(self, files: dict[str, File], message: str) -> str:
        parts = [self.branches.get("main", ""), message, *(f"{n} {files[n].oid}" for n in files)]
        commit = hashlib.sha1("\n".join(parts).encode()).hexdigest()
        self.commits[commit], self.messages[commit] = files, message
        self.branches["main"] = commit
        return commit

    def find(self, revision: str) -> str | None:
        commit = self.branches.get(revision) or self.tags.get(revision) or revision
        return commit if commit in self.commits else None
