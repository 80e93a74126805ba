"""Residual nets of 18 and 50 layers on ImageNet, with and without a last batch normalization.

Command:   python -m training.train lastbn_tablea1_imagenet/ROW --data-dir DATA
Cost:      1,394 to 3,143 PFLOP a row.
Expected:  the published errors: the last BN helps most with more regularization. Not measured.
"""

import dataclasses

from training.recipes.lastbn_table1_cifar10 import program
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import IMAGENET

ABOUT = About(
    title=(
        "Residual nets of 18 and 50 layers on ImageNet, with and without a last batch normalization"
    ),
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        'DNNs", table A1.'
    ),
    protocol=(
        "theirs: 100 epochs, batch 256, learning rate 0.1 with a tenth at 30, 60 and 90, "
        "Nesterov momentum 0.9, weight decay 1e-4; the rest after the Torch program that they "
        "name. Here: the same; of that program windows of random size and shape, flip, colour "
        "jitter of 0.4 and shifts of colour of 0.1; decay and starts as in lastbn_table1_cifar10."
    ),
)

PROTOCOL = ClassificationRecipe(
    model="resnet18",
    data="imagenet2012",
    epochs=100,
    learning_rate=0.1,
    batch_size=256,
    nesterov=True,
    schedule="steps",
    drops=(0.3, 0.6, 0.9),
    flip=True,
    resized_crop=True,
    jitter=0.4,
    lighting=0.1,
    recalibrate_batch=250,
    preprocess=IMAGENET,
)
REGULARIZATION = {"standard": {}, "decay": {"weight_decay": 2e-4}, "dropout": {"dropout": 0.3}}

# architecture -> published errors in percent by regularization
ERRORS = {
    "resnet18": (29.78, 30.07, 30.62),
    "resnet18_lastbn": (29.38, 28.96, 29.32),
    "resnet50": (23.97, 24.37, 23.81),
    "resnet50_lastbn": (23.76, 23.49, 23.47),
}

RECIPES = {
    f"{model}_{kind}": dataclasses.replace(
        PROTOCOL,
        model=model,
        tag=f"imagenet_{kind}",
        model_args=program(model) | model_args,
        published=f"{error:.2f}% top-1 error (table A1)",
    )
    for model, errors in ERRORS.items()
    for (kind, model_args), error in zip(REGULARIZATION.items(), errors, strict=True)
}
