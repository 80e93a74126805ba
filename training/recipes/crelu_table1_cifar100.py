"""The last activations of residual nets of 110 layers, by normalization and activation.

Command:   python -m training.train crelu_table1_cifar100/ROW --data-dir DATA
Cost:      12 to 19 PFLOP a row.
Measure:   python -m examples.figures.crelu_blocks --data-dir DATA --runs runs/crelu_table1_cifar100
           makes the table, and figure 2, of the finished rows.
Expected:  batch norm keeps the mean smallest, and half of its ReLUs' entries are not zero, as
           published. Not measured; `docs/figures.md` has the table of nets trained shortly.
"""

import dataclasses

from training.recipes import crelu_table2_cifar100
from training.tasks.recipe import About

ABOUT = About(
    title="The last activations of residual nets of 110 layers, by normalization and activation",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 1, and figure 2, of the same nets.'
    ),
    protocol=(
        "that of crelu_table2_cifar100: as the paper tells, these are nets of that table, on "
        'CIFAR-100 as for figure 2. "NormProp" is read as its version 2, the one whose last '
        "layer is a plain ReLU or CReLU."
    ),
)

# row of table 2 -> published mean, deviation and share of entries that are not zero
PUBLISHED = {
    "relu_plain": (30.81, 36.69, 0.14),
    "relu_normprop2": (28.68, 33.58, 0.21),
    "relu_bn": (3.77, 4.43, 0.51),
    "crelu_plain": (24.53, 26.02, 0.50),
    "crelu_normprop2": (10.41, 10.28, 0.50),
    "crelu_bn": (1.94, 1.99, 0.50),
}

RECIPES = {
    row: dataclasses.replace(
        crelu_table2_cifar100.RECIPES[row],
        tag=f"cifar100_table1_{row}",
        published=f"mean activation {mean} ± {deviation}, {share:.2f} of them not zero (table 1)",
    )
    for row, (mean, deviation, share) in PUBLISHED.items()
}
