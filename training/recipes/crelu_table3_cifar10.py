"""CReLU with fewer filters against ReLU on CIFAR-10: nets of similar size.

Command:   python -m training.train crelu_table3_cifar10/ROW --data-dir DATA
Cost:      11 PFLOP a row.
Expected:  5.87% test error against 6.35%, as published. Not measured.
Compare:   crelu_table2_cifar10/relu_bn, the table's row of 16, 32 and 64 filters.
"""

import dataclasses

from training.recipes import crelu_table2_cifar10
from training.tasks.recipe import About

ABOUT = About(
    title="CReLU with fewer filters against ReLU on CIFAR-10: nets of similar size",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 3.'
    ),
    protocol="that of crelu_table2_cifar10; 12, 24 and 48 filters.",
)

RECIPES = {
    "crelu12": dataclasses.replace(
        crelu_table2_cifar10.PROTOCOL,
        model="crelu_resnet110",
        tag="cifar10_width12",
        model_args=crelu_table2_cifar10.DECAY | {"width": 12},
        published="5.87% test error (table 3)",
    )
}
