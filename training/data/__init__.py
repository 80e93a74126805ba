"""Readers of the small image sets of the papers; see `read`."""

from training.data.reader import read
from training.data.table import DATASETS, Content, DataSet, Images, names

__all__ = ["DATASETS", "Content", "DataSet", "Images", "names", "read"]
