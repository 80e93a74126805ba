"""OpenVINO's files, .xml with .bin beside it; int8 by NNCF."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.deploy.runtime import Run, Runtime


def _write(model: keras.Model, path: Path, precision: str, batches: list[np.ndarray]) -> None:
    import openvino

    source = path.with_name("source.xml")  # stays open behind the net that was read from it
    model.export(str(source), format="openvino", verbose=False)
    net = openvino.Core().read_model(source)
    if precision == "int8":
        net = quantize(net, batches)
    openvino.save_model(net, str(path), compress_to_fp16=precision == "float16")


def quantize(net: Any, batches: list[Any]) -> Any:
    """A net of OpenVINO or ONNX in 8-bit integers, by NNCF's post-training quantization.

    Weights are quantized per channel. Activations that are negative too (LeakyReLU) get a range of
    their own on either side ("mixed").
    """
    import nncf

    return nncf.quantize(
        net,
        nncf.Dataset(batches),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(batches),
    )


def _open(path: Path) -> Run:
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU")
    return lambda x: compiled(x)[0]


OPENVINO = Runtime(
    name="openvino",
    suffix=".xml",
    extra="openvino",
    packages={"float32": (), "float16": (), "int8": ("nncf",)},
    backends=("tensorflow",),
    write=_write,
    open=_open,
    reads=("openvino",),
    parts=(".bin",),
)
