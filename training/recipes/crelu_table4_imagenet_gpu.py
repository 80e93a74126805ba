"""Normalizations and activations in residual nets on ImageNet, for one large GPU.

Command:   python -m training.train crelu_table4_imagenet_gpu/ROW --data-dir DATA
Cost:      2,535 to 15,349 PFLOP a row; 7 hours to 1.8 days if the GPU
           sustains 100 TFLOP/s.
Expected:  the published figures of crelu_table4_imagenet. Not measured.
"""

from training.recipes import crelu_table4_imagenet, on_large_gpu
from training.tasks.recipe import About

ABOUT = About(
    title="Normalizations and activations in residual nets on ImageNet, for one large GPU",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 4.'
    ),
    protocol=(
        "that of crelu_table4_imagenet in bfloat16; the batch stays as it is, for the protocol "
        "has no warm-up."
    ),
)

RECIPES = on_large_gpu(crelu_table4_imagenet.RECIPES)
