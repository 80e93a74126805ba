"""Normalizations and activations in residual nets of 110 layers on CIFAR-100.

Command:   python -m training.train crelu_table2_cifar100/ROW --data-dir DATA
Cost:      12 to 50 PFLOP a row.
Expected:  the published errors: CReLU is better with batch norm and without. Not measured.
"""

import dataclasses

from training.recipes import crelu_table2_cifar10
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title="Normalizations and activations in residual nets of 110 layers on CIFAR-100",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 2.'
    ),
    protocol=(
        "that of crelu_table2_cifar10, as theirs; inputs are standardized by the mean and the "
        "deviation of CIFAR-100."
    ),
)

CIFAR100 = dataclasses.replace(
    CIFAR,
    mean=(129.3 / 255, 124.1 / 255, 112.4 / 255),
    std=(68.2 / 255, 65.4 / 255, 70.4 / 255),
)

RECIPES = {
    row: dataclasses.replace(
        recipe,
        tag=f"cifar100_{row}",
        data="cifar100",
        preprocess=CIFAR100,
        published=f"{crelu_table2_cifar10.ROWS[row][-1]}% test error, median of 5 (table 2)",
    )
    for row, recipe in crelu_table2_cifar10.RECIPES.items()
}
