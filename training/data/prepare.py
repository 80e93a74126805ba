"""`python -m training.data.prepare NAME --data-dir DATA --to DIR`: a set for tensorflow-datasets.

Writes DIR/NAME/VERSION from the repacked or original files in DATA, reads it back and checks it.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from training.data import prepared
from training.data.reader import checked
from training.data.table import DATASETS
from zoo.errors import UnknownNameError

FORMATS = ("array_record", "tfrecord")


def prepare(name: str, data_dir: str | Path, to: str | Path, file_format: str = FORMATS[0]) -> Path:
    """Make the folder of tensorflow-datasets for a set that is at hand in other files.

    Args:
        name: a key of `BUILDERS`.
        data_dir: where `read` finds the set's repacked or original files.
        to: the folder that becomes a data_dir of `read` and of tensorflow-datasets.
        file_format: "array_record", which is read without TensorFlow, or "tfrecord", which
            `tfds.load` gives as a tf.data.Dataset.

    Returns:
        The version's folder. A set that is there already is only checked.

    Raises:
        ZooError: unknown name or format; what is in the folder is not the known content.
        MissingFileError: no files of the set in `data_dir`.
        ImportError: tensorflow-datasets is not installed.
    """
    if file_format not in FORMATS:
        raise UnknownNameError("file format", file_format, FORMATS)
    import tensorflow_datasets as tfds

    from training.data.builders import BUILDERS

    if name not in BUILDERS:
        raise UnknownNameError("builder", name, BUILDERS)
    builder = BUILDERS[name](data_dir=to, file_format=file_format)
    with tempfile.TemporaryDirectory() as unused:
        config = tfds.download.DownloadConfig(manual_dir=os.path.expanduser(data_dir))
        builder.download_and_prepare(download_dir=unused, download_config=config)
    folder, dataset = Path(builder.data_dir), DATASETS[name]
    for part, content in dataset.content.items():
        arrays, ordered = prepared.read(folder, dataset.tfds_splits.get(part, part))
        checked(arrays, content, folder, ordered)
    return folder


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.data.prepare", description=__doc__)
    parser.add_argument("name", help="cifar10, coil20, mnist, tiny_imagenet or usps")
    parser.add_argument("--data-dir", default="data", help="folder of the set's files")
    parser.add_argument("--to", required=True, help="folder that the prepared set goes to")
    parser.add_argument("--file-format", default=FORMATS[0], help=" or ".join(FORMATS))
    arguments = parser.parse_args(argv)
    try:
        print(prepare(arguments.name, arguments.data_dir, arguments.to, arguments.file_format))
    except (ValueError, OSError, ImportError) as error:
        print(f"training.data.prepare: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
