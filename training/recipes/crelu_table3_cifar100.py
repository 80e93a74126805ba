"""CReLU with fewer filters against ReLU on CIFAR-100: wide nets of similar size.

Command:   python -m training.train crelu_table3_cifar100/ROW --data-dir DATA
Cost:      42 to 50 PFLOP a row.
Expected:  22.06% test error with CReLU against 22.50%, as published. Not measured.
"""

import dataclasses

from training.recipes import crelu_table2_cifar100
from training.tasks.recipe import About

ABOUT = About(
    title="CReLU with fewer filters against ReLU on CIFAR-100: wide nets of similar size",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 3.'
    ),
    protocol="that of crelu_table2_cifar100 with weight decay 5e-4, as theirs.",
)

# row -> (row of table 2, filters of the first stage, published error in percent)
ROWS = {"relu32": ("relu_bn", 32, "22.50"), "crelu24": ("crelu_bn", 24, "22.06")}

RECIPES = {
    row: dataclasses.replace(
        crelu_table2_cifar100.RECIPES[like],
        tag=f"cifar100_width{width}",
        model_args={"decay": "all", "width": width, "weight_decay": 5e-4},
        published=f"{error}% test error (table 3)",
    )
    for row, (like, width, error) in ROWS.items()
}
