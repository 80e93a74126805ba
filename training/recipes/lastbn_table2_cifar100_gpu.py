"""Residual nets of 56 to 1202 layers on CIFAR-100, for one large GPU.

Command:   python -m training.train lastbn_table2_cifar100_gpu/ROW --data-dir DATA
Cost:      6 to 136 PFLOP a row; 20 min to 7.5 hours if the GPU
           sustains 5 TFLOP/s.
Expected:  the published figures of lastbn_table2_cifar100. Not measured.
"""

from training.recipes import lastbn_table2_cifar100, on_large_gpu
from training.tasks.recipe import About

ABOUT = About(
    title="Residual nets of 56 to 1202 layers on CIFAR-100, for one large GPU",
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        'DNNs", table 2.'
    ),
    protocol="that of lastbn_table2_cifar100 in bfloat16.",
)

RECIPES = on_large_gpu(lastbn_table2_cifar100.RECIPES)
