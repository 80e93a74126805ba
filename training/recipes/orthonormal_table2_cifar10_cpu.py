"""The other five optimizers beside plainnet44_cifar10 and plainnet44_cifar10_l2, for a CPU.

Command:   python -m training.train orthonormal_table2_cifar10_cpu/ROW --data-dir DATA
Cost:      0.87 PFLOP a row; about one core-hour.
Expected:  the published order at 164 epochs: Nesterov near SGD, the adaptive ones below. Not
           measured.
Compare:   plainnet44_cifar10 (orthonormal) and plainnet44_cifar10_l2 (SGD).
"""

import dataclasses

from training.recipes import plainnet44_cifar10_l2
from training.recipes.orthonormal_table2_cifar10 import METHODS
from training.tasks.recipe import About

ABOUT = About(
    title=(
        "The other five optimizers beside plainnet44_cifar10 and plainnet44_cifar10_l2, for a CPU"
    ),
    paper='Xie et al., "All You Need is Beyond a Good Init", table 2, 44 layers.',
    protocol=(
        "that of plainnet44_cifar10_l2 in everything but the optimizer: 30 epochs in place of "
        "164, the rates of orthonormal_table2_cifar10."
    ),
)

RECIPES = {
    method: dataclasses.replace(
        plainnet44_cifar10_l2.RECIPE,
        tag=f"cifar10_{method}_cpu",
        published=f"{accuracy}% test accuracy after 164 epochs (table 2)",
        **changes,
    )
    for method, (changes, accuracy, _) in METHODS.items()
    if method != "sgd"
}
