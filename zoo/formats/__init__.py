"""Files of other programs: PyTorch's checkpoints, Keras's and keras-hub's models."""

from zoo.formats.conversion import convert
from zoo.formats.export import export_preset, save_keras_files
from zoo.formats.keras_form import to_keras_layers
from zoo.formats.torch_file import read_torch_file

__all__ = ["convert", "export_preset", "read_torch_file", "save_keras_files", "to_keras_layers"]
