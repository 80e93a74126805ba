"""Orthonormality against weight decay in residual nets on CIFAR-10.

Command:   python -m training.train orthonormal_figure5_cifar10/ROW --data-dir DATA
Cost:      4.9 to 13 PFLOP a row.
Expected:  the plain net with orthonormality reaches the residual net of 44 layers, and
           orthonormality helps the residual net of 110; no values are printed. Not measured.
Compare:   orthonormal_table2_cifar10/orthonormal44 and sgd44, the plain nets of the figure.
"""

import dataclasses

from training.recipes.orthonormal_table2_cifar10 import L2, PROTOCOL
from training.tasks.recipe import About

ABOUT = About(
    title="Orthonormality against weight decay in residual nets on CIFAR-10",
    paper='Xie et al., "All You Need is Beyond a Good Init", figure 5, left and middle.',
    protocol=(
        "that of orthonormal_table2_cifar10; shortcuts are 3x3 projections where the width "
        "doubles, as theirs."
    ),
)

ORTHONORMAL = {"initializer": "orthonormal", "orthonormal": 1e-4, "weight_decay": 0.0}

# row -> (model, model_args)
ROWS = {
    "resnet44_l2": ("resnet44", L2),
    "resnet110_l2": ("resnet110", L2),
    "resnet110_orthonormal": ("resnet110", ORTHONORMAL),
}

RECIPES = {
    row: dataclasses.replace(
        PROTOCOL,
        model=model,
        tag=f"cifar10_figure5_{row.partition('_')[2]}",
        model_args={"shortcut": "projection3x3"} | model_args,
        published="a curve (figure 5; no values printed)",
    )
    for row, (model, model_args) in ROWS.items()
}
