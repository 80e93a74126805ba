"""Weight initializers of the papers."""

from zoo.initializers.delta_orthonormal import DeltaOrthonormal
from zoo.initializers.orthonormal import Orthonormal
from zoo.initializers.seq_pair import SeqContract, SeqExpand

__all__ = ["DeltaOrthonormal", "Orthonormal", "SeqContract", "SeqExpand"]
