"""Metadata of the package. A wheel holds `zoo` and the checkpoints of `weights/`."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
version = next(
    line.split('"')[1]
    for line in (HERE / "zoo" / "version.py").read_text().splitlines()
    if line.startswith("__version__")
)

setup(
    name="zoo",
    version=version,
    description="Very deep networks that train without shortcuts, for Keras 3, with weights",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    # The checkpoints live beside the package in a clone and inside it in a wheel.
    packages=[*find_packages(include=["zoo", "zoo.*"]), "zoo._weights"],
    package_dir={"zoo._weights": "weights"},
    package_data={
        "zoo": ["py.typed", "catalog.json"],
        "zoo.hub": ["pins.json"],
        "zoo._weights": ["*/zoo.json", "*/model*.safetensors*", "*/README.md"],
    },
    install_requires=[
        "filelock",
        "huggingface_hub>=2.4",
        "keras>=3.15.1",
        "numpy",
        "pillow",
        "safetensors",
        "tensorflow>=2.21",
    ],
    extras_require={
        "train": [
            "importlib_resources",
            "matplotlib",
            "scikit-learn",
            "tensorboard",
            "tensorflow-datasets",
        ],
        "examples": ["scikit-image"],
        "probe": ["matplotlib"],
        "coco": ["pycocotools"],
        "keras-cv": ["keras-cv"],
        "keras-hub": ["keras-hub"],
        "openvino": ["nncf", "openvino"],
        "onnx": ["nncf", "onnx", "onnxruntime", "tf2onnx"],
        "litert": ["ai-edge-litert"],
        "jax": ["jax>=0.10"],
        "torch": ["torch>=2.9"],
    },
    entry_points={"console_scripts": ["zoo=zoo.cli:main"]},
)
