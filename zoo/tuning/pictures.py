"""The pictures of a listing, decoded once: bytes at the size that the net takes, in one file."""

import collections
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import ImageError, ZooError
from zoo.files import replaced, write_atomically
from zoo.preprocessing import Preprocess, prepare
from zoo.tuning.listing import Listing, first

PIXELS, INDEX = "pictures.npy", "pictures.json"
LEAST = 2  # pictures of a class: one to learn from, one to validate with
SHOWN = 5  # of each kind of mishap, by name


@dataclass(frozen=True)
class Pictures:
    """Pictures with their classes.

    Attributes:
        x: uint8 array (N, H, W, C), in memory or mapped from a file. Rows that `rows` does not name
            hold nothing.
        rows: int array, the good pictures' rows of `x`.
        y: int array, their classes, as many as `rows`.
        names: tuple of str, their paths below the folder.
        digests: tuple of str, SHA-256 of their files.
        classes: tuple of str, names of the classes.
        notes: tuple of str, what is left out and why, a sentence each.
    """

    x: np.ndarray
    rows: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    digests: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def read_pictures(
    listing: Listing, settings: Preprocess, place: Path, tell: Callable[[str], None]
) -> Pictures:
    """Decodes the pictures, or takes those that an earlier call has left in `place`.

    What cannot be read is left out; so are copies of a picture in its own class, all copies of one
    that is in several classes, and classes of which fewer than two pictures remain. What counts as
    the same picture is what looks the same to the net.

    Args:
        listing: Listing, of the same folder and state of it in every call.
        settings: Preprocess, whose size, channels and resizing are applied; `normalize` is not.
        place: Path, folder for two files; memory holds no more than a batch of pictures at a time.
        tell: function that shows how far it is.

    Returns:
        Pictures.

    Raises:
        ZooError: fewer than two classes remain, or the disk is too small.
    """
    if not (place / INDEX).exists():
        found = _decode(listing, settings, place, tell)
        write_atomically(place / INDEX, json.dumps(found).encode())
    found = json.loads((place / INDEX).read_text())
    return _choose(listing, found, np.load(place / PIXELS, mmap_mode="r"))


def _decode(
    listing: Listing, settings: Preprocess, place: Path, tell: Callable[[str], None]
) -> list[dict[str, str]]:
    """Writes `PIXELS`; for each file its digests, or its problem."""
    shape = (len(listing.files), *settings.size, settings.channels)
    for unfinished in place.glob(".*.partial"):  # of a process that was killed
        unfinished.unlink()
    needed, free = int(np.prod(shape)), shutil.disk_usage(place).free
    if needed > 0.95 * free:
        raise ZooError(
            f"{place} takes {needed / 1e9:.1f} GB for the decoded pictures, and the disk has "
            f"{free / 1e9:.1f} GB left. Make room, or choose another folder with out=…."
        )
    with replaced([place / PIXELS]) as (partial,):
        pixels = np.lib.format.open_memmap(partial, mode="w+", dtype="uint8", shape=shape)
        return _fill(pixels, listing, settings, tell)


def _fill(
    pixels: np.ndarray, listing: Listing, settings: Preprocess, tell: Callable[[str], None]
) -> list[dict[str, str]]:
    zeros, ones = (0.0,) * settings.channels, (1.0,) * settings.channels
    raw = dataclasses.replace(settings, scale=1.0, mean=zeros, std=ones)

    def decode(row: int) -> dict[str, str]:
        path = listing.folder / listing.files[row][0]
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            pixels[row] = np.rint(prepare(raw, [path])[0])
        except ImageError as error:
            return {"problem": str(error)}
        except OSError as error:
            return {"problem": f"{path} cannot be read: {error.strerror}."}
        return {"file": digest, "pixels": hashlib.sha256(pixels[row].tobytes()).hexdigest()}

    found, total = [], len(pixels)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes beside Python
        for count, answer in enumerate(pool.map(decode, range(total)), start=1):
            found.append(answer)
            if count % 50 == 0 or count == total:
                tell(f"reading pictures: {count:,} of {total:,}")
    if isinstance(pixels, np.memmap):
        pixels.flush()
    return found


def _choose(listing: Listing, found: Sequence[Mapping[str, str]], x: np.ndarray) -> Pictures:
    """The rows that can be learned from."""
    name_of = [name for name, *_ in listing.files]
    class_of = np.array([label for _, label, *_ in listing.files])
    problems = [answer["problem"] for answer in found if "problem" in answer]
    notes = [f"{problem} It is left out." for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        notes.append(f"{len(problems) - SHOWN} more files cannot be read and are left out.")

    rows, copies, contrary = _alike(found, class_of)
    for same in contrary[:SHOWN]:
        names = " and ".join(name_of[row] for row in same)
        notes.append(f"{names} are the same picture in two classes: all of them are left out.")
    if len(contrary) > SHOWN:
        notes.append(f"{len(contrary) - SHOWN} more pictures are in two classes and left out.")
    if copies:
        names = first(name_of[row] for row in copies)
        notes.append(f"{names}: copies of other pictures of their class, left out.")

    counts = np.bincount(class_of[rows], minlength=len(listing.classes)).tolist()
    kept = [label for label, count in enumerate(counts) if count >= LEAST]
    for label, count in enumerate(counts):
        if count < LEAST:
            notes.append(
                f"{listing.classes[label]}: {count or 'no'} good picture{'' if count == 1 else 's'}"
                f", and a class needs {LEAST}, one to learn from and one to validate with. The "
                "class is left out."
            )
    if len(kept) < 2:
        raise ZooError(
            f"{listing.folder}: fewer than two classes are left that can be told apart. "
            + " ".join(notes)
        )
    rows = [row for row in rows if class_of[row] in kept]
    return Pictures(
        x=x,
        rows=np.array(rows),
        y=np.searchsorted(kept, class_of[rows]),
        names=tuple(name_of[row] for row in rows),
        digests=tuple(found[row]["file"] for row in rows),
        classes=tuple(listing.classes[label] for label in kept),
        notes=tuple(notes),
    )


def _alike(
    found: Sequence[Mapping[str, str]], class_of: np.ndarray
) -> tuple[list[int], list[int], list[list[int]]]:
    """Rows of different pictures, sorted; of copies in the same class; and, together, of those
    that are in several classes."""
    groups: dict[str, list[int]] = collections.defaultdict(list)
    for row, answer in enumerate(found):
        if "pixels" in answer:
            groups[answer["pixels"]].append(row)
    contrary = [same for same in groups.values() if len(set(class_of[same].tolist())) > 1]
    clear = [same for same in groups.values() if len(set(class_of[same].tolist())) == 1]
    copies = [row for same in clear for row in same[1:]]
    return sorted(same[0] for same in clear), copies, contrary
