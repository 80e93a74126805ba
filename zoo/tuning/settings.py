"""The arguments of a fine-tuning, checked, and what they are by default."""

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any

import keras

from zoo import checks
from zoo.checkpoint.card import Card
from zoo.errors import UnknownNameError
from zoo.models.freeze import check_freeze
from zoo.tuning.device import fast_dtype

DTYPES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
PICTURES = 40_000  # that a training sees by default, in from 5 to 40 epochs
EPOCHS = (5, 40)


@dataclass(frozen=True)
class Settings:
    """The arguments of `zoo.finetune` that change what comes out.

    Attributes:
        checkpoint: str.
        epochs: int or None.
        batch_size: int.
        learning_rate: float.
        validation: float.
        input_shape: tuple of int or None.
        freeze: str or None.
        flip: bool.
        dtype: str.
        seed: int.
    """

    checkpoint: str
    epochs: int | None = None
    batch_size: int = 32
    learning_rate: float = 0.01
    validation: float = 0.2
    input_shape: tuple[int, ...] | None = None
    freeze: str | None = None
    flip: bool = True
    dtype: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        def share(x: float) -> bool:
            return 0 < x < 1

        checked: dict[str, Any] = {
            "batch_size": checks.integer("batch_size", self.batch_size, least=1),
            "learning_rate": checks.number(
                "learning_rate", self.learning_rate, "a positive number", lambda x: x > 0
            ),
            "validation": checks.number(
                "validation", self.validation, "a share between 0 and 1, of the pictures", share
            ),
            "seed": checks.integer("seed", self.seed, least=0),
            "flip": bool(self.flip),
        }
        if self.epochs is not None:
            checked["epochs"] = checks.integer("epochs", self.epochs, least=0)
        if self.input_shape is not None:
            checked["input_shape"] = checks.integers("input_shape", tuple(self.input_shape), 1)
        check_freeze(self.freeze)
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def epochs_for(self, pictures: int) -> int:
        """The most epochs for so many training pictures; 0 where only the head learns.

        Args:
            pictures: int.

        Example:

        >>> [Settings("seqnet18").epochs_for(n) for n in (20, 4000, 100_000)]
        [40, 10, 5]
        """
        if self.freeze == "body":
            return 0
        if self.epochs is not None:
            return self.epochs
        return min(max(PICTURES // pictures, EPOCHS[0]), EPOCHS[1])

    def patience(self, epochs: int) -> int:
        """Epochs without improvement after which a training ends.

        Args:
            epochs: int, the most that it takes.
        """
        return max(5, epochs // 3)

    @property
    def policy(self) -> str:
        """The dtype policy of training here."""
        return fast_dtype() if self.dtype == "auto" else self.dtype

    def changed(self) -> dict[str, Any]:
        """What is not as by default, the checkpoint aside."""
        fields = dataclasses.fields(self)[1:]
        values = {field.name: getattr(self, field.name) for field in fields}
        return {f.name: values[f.name] for f in fields if values[f.name] != f.default}

    def identity(self, card: Card) -> dict[str, Any]:
        """All that changes what comes out, but for the pictures.

        Args:
            card: Card, of the checkpoint.
        """
        return dataclasses.asdict(self) | {
            "checkpoint": f"{card.name}, version {card.version}",
            "weights": [card.files[name].sha256[:16] for name in card.weight_files],
            "dtype": self.policy,
            "backend": keras.backend.backend(),
        }

    def command(self, folder: str, out: str) -> str:
        """The command line that does the same.

        Args:
            folder: str, of the photos.
            out: str, of the checkpoint.

        Example:

        >>> Settings("seqnet18", epochs=3).command("photos", "seqnet18.photos")
        'zoo finetune seqnet18 photos --out seqnet18.photos --epochs 3'
        """
        words = ["zoo", "finetune", self.checkpoint, folder, "--out", out]
        for name, value in self.changed().items():
            option = f"--{name.replace('_', '-')}"
            if name == "flip":
                words.append("--no-flip")
            elif name == "input_shape":
                words += [option, ",".join(map(str, value))]
            else:
                words += [option, str(value)]
        return shlex.join(words)
