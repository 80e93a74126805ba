"""LiteRT's files (TensorFlow Lite), converted by TensorFlow."""

import tempfile
from pathlib import Path

import keras
import numpy as np

from zoo.deploy.runtime import Run, Runtime
from zoo.files import write_atomically


def _write(model: keras.Model, path: Path, precision: str, batches: list[np.ndarray]) -> None:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: (
                [batch[i : i + 1]] for batch in batches for i in range(len(batch))
            )
        write_atomically(path, converter.convert())


def _open(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    into, out = (
        details[0]["index"]
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def run(x: np.ndarray) -> np.ndarray:
        if tuple(interpreter.get_input_details()[0]["shape"]) != x.shape:
            interpreter.resize_tensor_input(into, x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(into, x)
        interpreter.invoke()
        return interpreter.get_tensor(out).copy()

    return run


LITERT = Runtime(
    name="litert",
    suffix=".tflite",
    extra="litert",
    packages={"float32": (), "float16": (), "int8": ()},
    backends=("tensorflow",),
    write=_write,
    open=_open,
    reads=("tensorflow", "ai_edge_litert"),
)
