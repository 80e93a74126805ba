"""How published PyTorch checkpoints of a family name what the zoo names by paths."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from zoo.errors import ZooError

_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "inner_bias": "bias",
}


@dataclass(frozen=True)
class TorchNames:
    """The key map of a family.

    Attributes:
        module: path of a layer -> name of the PyTorch module, None where there is none.
        classifier: the module that has a row for every class.
        tells: option -> the tensor that is there where the option is set.
        flattened: path of the kernel behind `head_flatten`, whose rows PyTorch has in the order
            (C, H, W).
    """

    module: Callable[[str], str | None]
    classifier: str
    tells: Mapping[str, str] = field(default_factory=dict)
    flattened: str | None = None

    def tensor(self, path: str) -> str:
        """The name of the tensor that belongs to a variable of the zoo.

        Raises:
            ZooError: the checkpoints have none.
        """
        layer, _, leaf = path.rpartition("/")
        module = self.module(layer)
        if module is None:
            raise ZooError(
                f"The published checkpoints have no tensor for {path}: leave the options that "
                "bring it at their defaults."
            )
        return f"{module}.{_LEAVES[leaf]}"
