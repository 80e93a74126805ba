"""The baseline of plainnet44_cifar10: He initialization and weight decay, the same budget.

Command:   python -m training.train plainnet44_cifar10_l2 --data-dir DATA
Cost:      that of plainnet44_cifar10.
Expected:  69.91% test accuracy after 30 epochs, as `plainnet44.cifar10_l2` has it.
"""

import dataclasses

from training.recipes import plainnet44_cifar10
from training.tasks.recipe import About

ABOUT = About(
    title="The baseline of plainnet44_cifar10: He initialization and weight decay, the same budget",
    paper='Xie et al., "All You Need is Beyond a Good Init", table 2: 84.14% (SGD, 44 layers).',
    protocol="that of plainnet44_cifar10 in everything but initialization and regularizer.",
)

RECIPE = dataclasses.replace(
    plainnet44_cifar10.RECIPE,
    tag="cifar10_l2",
    model_args={"initializer": "he_normal", "orthonormal": 0.0, "weight_decay": 1e-4},
    published="84.14% test accuracy after 164 epochs (table 2, SGD)",
)
