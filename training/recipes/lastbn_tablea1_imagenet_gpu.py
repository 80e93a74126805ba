"""Residual nets of 18 and 50 layers on ImageNet, for one large GPU.

Command:   python -m training.train lastbn_tablea1_imagenet_gpu/ROW --data-dir DATA
Cost:      1,394 to 3,143 PFLOP a row; 3.9 hours to 8.7 hours if the GPU
           sustains 100 TFLOP/s.
Expected:  the published figures of lastbn_tablea1_imagenet. Not measured.
"""

from training.recipes import lastbn_tablea1_imagenet, on_large_gpu
from training.tasks.recipe import About

ABOUT = About(
    title="Residual nets of 18 and 50 layers on ImageNet, for one large GPU",
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        'DNNs", table A1.'
    ),
    protocol=(
        "that of lastbn_tablea1_imagenet in bfloat16; the batch stays at 256, for the protocol "
        "has no warm-up."
    ),
)

RECIPES = on_large_gpu(lastbn_tablea1_imagenet.RECIPES)
