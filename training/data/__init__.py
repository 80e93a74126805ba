"""Readers of the image sets of the papers; see `read`."""

from training.data.pictures import Pictures
from training.data.reader import read
from training.data.table import DATASETS, Content, DataSet, Images, names

__all__ = ["DATASETS", "Content", "DataSet", "Images", "Pictures", "names", "read"]
