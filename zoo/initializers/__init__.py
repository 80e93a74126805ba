"""Weight initializers of the papers."""

from zoo.initializers.orthonormal import Orthonormal
from zoo.initializers.seq_pair import SeqContract, SeqExpand

__all__ = ["Orthonormal", "SeqContract", "SeqExpand"]
