"""Residual nets of 56 to 2402 layers on CIFAR-10, for one large GPU.

Command:   python -m training.train lastbn_table1_cifar10_gpu/ROW --data-dir DATA
Cost:      6 to 543 PFLOP a row; 20 min to 30 hours if the GPU
           sustains 5 TFLOP/s.
Expected:  the published figures of lastbn_table1_cifar10. Not measured.
"""

from training.recipes import lastbn_table1_cifar10, on_large_gpu
from training.tasks.recipe import About

ABOUT = About(
    title="Residual nets of 56 to 2402 layers on CIFAR-10, for one large GPU",
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        'DNNs", table 1.'
    ),
    protocol="that of lastbn_table1_cifar10 in bfloat16.",
)

RECIPES = on_large_gpu(lastbn_table1_cifar10.RECIPES)
