"""Seven ways to train plain nets of 44 and 110 layers on CIFAR-10, for one large GPU.

Command:   python -m training.train orthonormal_table2_cifar10_gpu/ROW --data-dir DATA
Cost:      4.8 to 12 PFLOP a row; 16 min to 41 min if the GPU
           sustains 5 TFLOP/s.
Expected:  the published figures of orthonormal_table2_cifar10. Not measured.
"""

from training.recipes import on_large_gpu, orthonormal_table2_cifar10
from training.tasks.recipe import About

ABOUT = About(
    title="Seven ways to train plain nets of 44 and 110 layers on CIFAR-10, for one large GPU",
    paper='Xie et al., "All You Need is Beyond a Good Init", table 2.',
    protocol="that of orthonormal_table2_cifar10 in bfloat16.",
)

RECIPES = on_large_gpu(orthonormal_table2_cifar10.RECIPES)
