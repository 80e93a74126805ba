"""ONNX files; int8 by NNCF."""

from pathlib import Path

import keras
import numpy as np

from zoo.deploy.openvino import quantize
from zoo.deploy.runtime import Run, Runtime

INPUT = "image"


def _write(model: keras.Model, path: Path, precision: str, batches: list[np.ndarray]) -> None:
    signature = [keras.InputSpec(shape=model.input.shape, dtype="float32", name=INPUT)]
    model.export(str(path), format="onnx", input_signature=signature, verbose=False)
    if precision == "int8":
        import onnx

        net = onnx.load(path)
        name = net.graph.input[0].name
        onnx.save(quantize(net, [{name: batch} for batch in batches]), path)


def _open(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


ONNX = Runtime(
    name="onnx",
    suffix=".onnx",
    extra="onnx",
    packages={"float32": ("onnx", "tf2onnx"), "int8": ("onnx", "tf2onnx", "nncf")},
    backends=("tensorflow",),
    write=_write,
    open=_open,
    reads=("onnxruntime",),
)
