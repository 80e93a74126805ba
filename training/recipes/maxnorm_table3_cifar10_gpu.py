"""A plain net of 50 layers beside its residual competitors on CIFAR-10, for one large GPU.

Command:   python -m training.train maxnorm_table3_cifar10_gpu/ROW --data-dir DATA
Cost:      6.2 to 12 PFLOP a row; 21 min to 41 min if the GPU
           sustains 5 TFLOP/s.
Expected:  the published figures of maxnorm_table3_cifar10. Not measured.
"""

from training.recipes import maxnorm_table3_cifar10, on_large_gpu
from training.tasks.recipe import About

ABOUT = About(
    title="A plain net of 50 layers beside its residual competitors on CIFAR-10, for one large GPU",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", table III.'
    ),
    protocol="that of maxnorm_table3_cifar10 in bfloat16.",
)

RECIPES = on_large_gpu(maxnorm_table3_cifar10.RECIPES)
