"""Orthonormality against weight decay in residual nets on ImageNet.

Command:   python -m training.train orthonormal_figure5_imagenet/ROW --data-dir DATA
Cost:      2,695 to 6,036 PFLOP a row.
Expected:  orthonormality helps 34 layers a little and 101 hardly; no values are printed. Not
           measured.
"""

import dataclasses

from training.recipes.orthonormal_figure5_cifar10 import ORTHONORMAL
from training.recipes.orthonormal_table2_cifar10 import L2, PROTOCOL
from training.tasks.recipe import About
from zoo.preprocessing import IMAGENET

ABOUT = About(
    title="Orthonormality against weight decay in residual nets on ImageNet",
    paper='Xie et al., "All You Need is Beyond a Good Init", figure 5, right, and table 1.',
    protocol=(
        "theirs: windows of 224 pixels at random places of 256x256 pictures, flip and colour "
        "augmentation after Krizhevsky et al., batch 256, all else as for CIFAR-10; the number "
        "of steps is not told. Here: windows of random size and shape, the same shift of "
        "colours, 90 epochs, a tenth after 1/2 and 3/4 of them. Both nets have the paper's last "
        "convolution of 1024 filters; their shortcuts are 1x1 projections."
    ),
)

RECIPES = {
    f"resnet{depth}_{method}": dataclasses.replace(
        PROTOCOL,
        model=f"resnet{depth}",
        tag=f"imagenet_figure5_{method}",
        data="imagenet2012",
        epochs=90,
        batch_size=256,
        resized_crop=True,
        lighting=0.1,
        per_pixel=False,
        validate_every=1,
        recalibrate_batch=250,
        preprocess=IMAGENET,
        model_args={"final_conv": 1024} | model_args,
        published="a curve (figure 5; no values printed)",
    )
    for depth in (34, 101)
    for method, model_args in (("l2", L2), ("orthonormal", ORTHONORMAL))
}
