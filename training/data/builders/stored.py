"""Folders of tensorflow-datasets from the repacked or original files of the small sets."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from training.data.reader import stored
from training.data.table import DATASETS


class StoredSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A row of `DATASETS` that is read from `manual_dir`, as `training.data.read` finds it there.

    An example is {"image", "label", "id"}. Images of 8 bits are lossless PNG, those of more (USPS)
    a uint16 tensor of the stored integers. `id` is PART_00000, … in the official order, which the
    reader restores.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "manual_dir is the folder that holds the set's repacked or original files."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        dataset = DATASETS[self.name]
        if dataset.white == 255:
            image = tfds.features.Image(shape=dataset.shape)
        else:
            image = tfds.features.Tensor(shape=dataset.shape, dtype=np.uint16)
        features = {
            "image": image,
            "label": tfds.features.ClassLabel(names=dataset.labels),
            "id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(features),
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        dataset = DATASETS[self.name]
        return {
            dataset.tfds_splits.get(part, part): self._generate_examples(
                part, Path(dl_manager.manual_dir)
            )
            for part in dataset.content
        }

    def _generate_examples(self, part: str, data_dir: Path) -> Iterator[tuple[str, dict]]:
        (x, y), _ = stored(self.name, part, data_dir, prepared_too=False)
        for i, (image, label) in enumerate(zip(x, y.tolist(), strict=True)):
            key = f"{part}_{i:05d}"
            yield key, {"image": self._encoded(image), "label": label, "id": key}

    def _encoded(self, image: np.ndarray) -> io.BytesIO | np.ndarray:
        if image.dtype != np.uint8:
            return image.reshape(self.info.features["image"].shape)
        file = io.BytesIO()  # encoded by Pillow: tensorflow-datasets would import TensorFlow
        Image.fromarray(image).save(file, "PNG")
        file.seek(0)
        return file


class Usps(StoredSet):
    """USPS handwritten digits (Hull 1994), gray values 0 to 2000."""


class Coil20(StoredSet):
    """COIL-20, processed (Nene, Nayar and Murase 1996); all views are in the split "train"."""


class Cifar10(StoredSet, skip_registration=True):
    """CIFAR-10 (Krizhevsky 2009) from its repacked files."""


class TinyImagenet(StoredSet, skip_registration=True):
    """Tiny ImageNet (Le, Yang 2015) from its official folders."""


class Mnist(StoredSet, skip_registration=True):
    """MNIST (LeCun, Cortes and Burges 1998) from its repacked file."""
