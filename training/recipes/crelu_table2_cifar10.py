"""Normalizations and activations in residual nets of 110 layers on CIFAR-10.

Command:   python -m training.train crelu_table2_cifar10/ROW --data-dir DATA
Cost:      12 to 50 PFLOP a row.
Expected:  the published errors: CReLU is better with batch norm and without. Not measured.
"""

import dataclasses

from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title="Normalizations and activations in residual nets of 110 layers on CIFAR-10",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 2.'
    ),
    protocol=(
        "theirs, after the Torch program that they name: 164 epochs, batch 128, learning rate "
        "0.1 with a tenth from epochs 81 and 122 on, Nesterov momentum 0.9, weight decay 1e-4, "
        "flip and crop of 4 pixels, the median of 5 runs; He-normal with batch norm, else "
        "Glorot; NormProp's scales from 1/1.21; the rate is halved until a net trains, how often "
        "is not told. Here: the same, as in that program every weight decays, not kernels alone, "
        "the crop is reflected, and 0.1 for every row: where that diverges, `learning_rate=0.05` "
        "and so on; seeds by `seed=1 --run RUN`."
    ),
)

PROTOCOL = ClassificationRecipe(
    model="resnet110",
    data="cifar10",
    epochs=164,
    learning_rate=0.1,
    nesterov=True,
    schedule="steps",
    drops=(80 / 164, 121 / 164),
    flip=True,
    crop=4,
    validate_every=4,
    preprocess=CIFAR,
)

PLAIN = {"norm": "none", "initializer": "glorot_uniform"}
CRELU = {"nonlinearity": "crelu"}
DECAY = {"decay": "all"}

# row -> (architecture for a depth, model_args, published error on CIFAR-10 and CIFAR-100)
ROWS = {
    "relu_plain": ("resnet{}", PLAIN, "7.78", "36.10"),
    "relu_plain_nobias": ("resnet{}", PLAIN | {"use_bias": False}, "12.16", "40.00"),
    "relu_normprop": ("normprop_resnet{}", {"norm": "normprop"}, "11.60", "37.60"),
    "relu_normprop2": ("normprop_resnet{}", {"norm": "normprop2"}, "7.46", "31.71"),
    "relu_bn": ("resnet{}", {}, "6.35", "27.46"),
    "relu_bn_double": ("resnet{}", {"width": 32}, "7.27", "27.33"),
    "crelu_plain": ("crelu_resnet{}", PLAIN, "6.86", "28.24"),
    "crelu_plain_nobias": ("crelu_resnet{}", PLAIN | {"use_bias": False}, "7.17", "28.71"),
    "crelu_normprop2": ("normprop_resnet{}", CRELU | {"norm": "normprop2"}, "7.22", "29.29"),
    "crelu_bn": ("crelu_resnet{}", {}, "5.72", "25.89"),
}

RECIPES = {
    row: dataclasses.replace(
        PROTOCOL,
        model=model.format(110),
        tag=f"cifar10_{row}",
        recalibrate=0 if model_args.get("norm") == "none" else PROTOCOL.recalibrate,
        model_args=DECAY | model_args,
        published=f"{error}% test error, median of 5 (table 2)",
    )
    for row, (model, model_args, error, _) in ROWS.items()
}
