"""Residual nets of 56 to 1202 layers on CIFAR-100, with and without a last batch normalization.

Command:   python -m training.train lastbn_table2_cifar100/ROW --data-dir DATA
Cost:      6 to 136 PFLOP a row.
Expected:  the published errors: the last BN is the better the deeper the net. Not measured.
"""

import dataclasses

from training.recipes.lastbn_table1_cifar10 import DEPTHS, PROTOCOL, program
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title=(
        "Residual nets of 56 to 1202 layers on CIFAR-100, with and without a last batch "
        "normalization"
    ),
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        'DNNs", table 2.'
    ),
    protocol=(
        "that of lastbn_table1_cifar10, as theirs; inputs are standardized by the mean and the "
        "deviation of CIFAR-10, as in their program."
    ),
)

# architecture -> published test errors in percent by depth
ERRORS = {
    "resnet{}": ("29.60 ± 0.41", "28.3 ± 1.09", "29.25 ± 0.44", "30.49 ± 4.44"),
    "preresnet{}": ("29.29 ± 0.44", "27.58 ± 0.12", "26.72 ± 0.33", "26.23 ± 0.26"),
    "preresnet{}_v1": ("29.60 ± 0.21", "28.54 ± 0.26", "27.92 ± 0.34", "30.07 ± 2.04"),
    "resnet{}_lastbn": ("28.82 ± 0.38", "27.05 ± 0.23", "25.80 ± 0.10", "25.51 ± 0.27"),
}

RECIPES = {
    model.format(depth): dataclasses.replace(
        PROTOCOL,
        model=model.format(depth),
        tag="cifar100",
        data="cifar100",
        preprocess=CIFAR,
        model_args=program(model),
        published=f"{error}% test error (table 2)",
    )
    for model, errors in ERRORS.items()
    for depth, error in zip(DEPTHS, errors, strict=True)
}
