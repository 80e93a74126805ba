"""A plain net of 50 layers beside its residual competitors on CIFAR-10.

Command:   python -m training.train maxnorm_table3_cifar10/ROW --data-dir DATA
Cost:      6.2 to 12 PFLOP a row.
Expected:  6.65% test error, against 15.00% of the plain net with batch norm alone and 6.97% and
           6.43% of the ResNets, as published. Not measured.
"""

import dataclasses

from training.recipes import maxnorm_plainnet50_cifar10
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title="A plain net of 50 layers beside its residual competitors on CIFAR-10",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", table III. Its rows plainnet_bn56, resnet56 and resnet110 are quoted '
        'there from He et al., "Deep Residual Learning for Image Recognition"; its other '
        "networks are not of this zoo (published there: Highway network 7.54%, All CNN 7.25%, "
        "NiN 8.81%, Delta init. 18.00%)."
    ),
    protocol=(
        "theirs: batch 128, learning rate within [1e-4, 0.1], momentum 0.9, weight decay 1e-4, "
        "400 epochs; schedule and augmentation are not told. Here: 0.1 falling to 0 by a cosine "
        "after 2 epochs of warm-up, flip and crop of 4 pixels. The quoted rows: 64k steps of 128 "
        "images, 0.1 with a tenth at 1/2 and 3/4, flip and crop as there, but reflected where He "
        "et al. pad with zeros; no warm-up for 110 layers."
    ),
)

PLAIN = {"initializer": "he_normal", "orthonormal": 0.0, "weight_decay": 1e-4}

# row -> (model, model_args, published error in percent)
QUOTED = {
    "plainnet_bn56": ("plainnet56", PLAIN, "15.00"),
    "resnet56": ("resnet56", {}, "6.97"),
    "resnet110": ("resnet110", {}, "6.43"),
}

RECIPES = {
    "maxnorm_plainnet50": dataclasses.replace(
        maxnorm_plainnet50_cifar10.RECIPE,
        tag="cifar10_table3",
        epochs=400,
        crop=4,
        dtype="float32",
        validate_every=10,
        published="6.65% test error (table III)",
    )
} | {
    row: ClassificationRecipe(
        model=model,
        tag="cifar10_table3",
        data="cifar10",
        epochs=164,
        learning_rate=0.1,
        schedule="steps",
        flip=True,
        crop=4,
        validate_every=4,
        preprocess=CIFAR,
        model_args=model_args,
        published=f"{error}% test error (table III, quoted from He et al.)",
    )
    for row, (model, model_args, error) in QUOTED.items()
}
