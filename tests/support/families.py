"""A small net of every family. A new family needs a row; `tests/contract` does the rest."""

import numpy as np

import zoo
from zoo.models.deferred import build_without_values, fill

# Name, options, shape of an image.
SMALL = [
    ("plainnet20", {"width": 4}, (12, 10, 3)),
    ("maxnorm_plainnet50", {}, (8, 8, 3)),
    ("maxnorm_mlp3", {"units": 16}, (5, 4, 1)),
    ("seqnet18", {"stem": "cifar", "width": 4}, (9, 8, 3)),
    ("resnet20_lastbn", {"width": 4}, (9, 8, 3)),
    ("preresnet20", {"width": 4}, (8, 8, 3)),
    ("crelu_resnet20", {"width": 4}, (8, 8, 3)),
    # The first version of NormProp explodes in a residual net, as the paper says.
    ("normprop_resnet20", {"width": 4, "norm": "normprop2"}, (8, 8, 3)),
    ("resnet50", {"width": 2, "stem": "cifar"}, (8, 9, 3)),
    ("plainnet18", {"width": 2}, (33, 32, 3)),
    ("vgg19_bn", {"width": 2}, (32, 32, 3)),
    ("plain_mlp20", {"units": 16}, (5, 4, 1)),
]


def small(name, options, shape, **more):
    return zoo.create(name, input_shape=shape, num_classes=4, **options, **more)


def filled(name, options, shape, **more):
    """The small net, its kernels drawn by NumPy, the rest as its initializers say.

    JAX would compile every initializer for every shape, which takes longer than the net."""
    model = build_without_values(lambda: small(name, options, shape, **more))
    rng, kernels = np.random.default_rng(0), {}
    for v in model.weights:
        if len(v.shape) > 1:
            deviation = np.sqrt(2 / np.prod(v.shape[:-1]))
            kernels[v.path] = rng.normal(0, deviation, v.shape).astype("float32")
    fill(model, kernels)
    return model


def images(shape, n=8):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype("float32")
