"""Residual nets of 56 to 2402 layers on CIFAR-10, with and without a last batch normalization.

Command:   python -m training.train lastbn_table1_cifar10/ROW --data-dir DATA
Cost:      6 to 543 PFLOP a row.
Expected:  the published errors: the last BN is the better the deeper the net. Not measured.
"""

import dataclasses

from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title=(
        "Residual nets of 56 to 2402 layers on CIFAR-10, with and without a last batch "
        "normalization"
    ),
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        'DNNs", table 1, and section 5.1 for the rows "_long": weight decay 2e-4 and twice the '
        "steps."
    ),
    protocol=(
        "theirs: 160 epochs, batch 128, learning rate 0.1 with a tenth at 80 and 120, Nesterov "
        "momentum 0.9, weight decay 1e-4, flip and crop of 4 reflected pixels, five seeds. Here: "
        "the same; of their program, every weight decays, not kernels alone, the classifier "
        "starts from U(-1/sqrt(n), 1/sqrt(n)) for n inputs, PyTorch's default, and the last BN's "
        "scale from U(0, 1); seeds by `seed=1 --run RUN`. That 2402 layers had weight decay 2e-4 "
        "and twice the steps, too, is how we read the section."
    ),
)

PROTOCOL = ClassificationRecipe(
    model="resnet56",
    tag="cifar10",
    data="cifar10",
    epochs=160,
    learning_rate=0.1,
    nesterov=True,
    schedule="steps",
    flip=True,
    crop=4,
    validate_every=4,
    preprocess=CIFAR,
)
# Of the authors' program.
PROGRAM = {"decay": "all", "head_initializer": "fan_in_uniform"}
LAST_BN = PROGRAM | {"head_gamma": "uniform"}
DEPTHS = (56, 110, 230, 1202)

# architecture -> published test errors in percent by depth
ERRORS = {
    "resnet{}": ("7.52 ± 0.30", "6.89 ± 0.52", "7.35 ± 0.64", "9.42 ± 3.10"),
    "preresnet{}": ("6.89 ± 0.09", "6.25 ± 0.08", "6.12 ± 0.21", "6.07 ± 0.10"),
    "preresnet{}_v1": ("6.75 ± 0.26", "6.37 ± 0.24", "6.32 ± 0.21", "7.89 ± 0.58"),
    "resnet{}_lastbn": ("6.50 ± 0.22", "6.10 ± 0.09", "5.94 ± 0.18", "5.68 ± 0.14"),
}
LONG = {
    "resnet1202_lastbn": "4.79 ± 0.12% test error",
    "resnet2402_lastbn": "5.04 ± 0.30% test error",
    "resnet2402": "does not converge",
}


def program(model: str) -> dict[str, str]:
    """What the authors' program makes of a net, where the zoo's default is another."""
    return LAST_BN if model.endswith("_lastbn") else PROGRAM


RECIPES = {
    model.format(depth): dataclasses.replace(
        PROTOCOL,
        model=model.format(depth),
        model_args=program(model),
        published=f"{error}% test error (table 1)",
    )
    for model, errors in ERRORS.items()
    for depth, error in zip(DEPTHS, errors, strict=True)
} | {
    f"{model}_long": dataclasses.replace(
        PROTOCOL,
        model=model,
        tag="cifar10_long",
        epochs=320,
        model_args=program(model) | {"weight_decay": 2e-4},
        published=f"{figure} (section 5.1)",
    )
    for model, figure in LONG.items()
}
