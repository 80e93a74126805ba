"""Normalizations and activations in residual nets of 110 layers on CIFAR-100, for one large GPU.

Command:   python -m training.train crelu_table2_cifar100_gpu/ROW --data-dir DATA
Cost:      12 to 50 PFLOP a row; 41 min to 2.8 hours if the GPU
           sustains 5 TFLOP/s.
Expected:  the published figures of crelu_table2_cifar100. Not measured.
"""

from training.recipes import crelu_table2_cifar100, on_large_gpu
from training.tasks.recipe import About

ABOUT = About(
    title=(
        "Normalizations and activations in residual nets of 110 layers on CIFAR-100, for one "
        "large GPU"
    ),
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 2.'
    ),
    protocol="that of crelu_table2_cifar100 in bfloat16.",
)

RECIPES = on_large_gpu(crelu_table2_cifar100.RECIPES)
