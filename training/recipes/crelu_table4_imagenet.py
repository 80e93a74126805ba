"""Normalizations and activations in residual nets of 34, 50 and 101 layers on ImageNet.

Command:   python -m training.train crelu_table4_imagenet/ROW --data-dir DATA
Cost:      2,535 to 15,349 PFLOP a row.
Expected:  the published errors: CReLU is better with batch norm and without. Not measured.
"""

import dataclasses

from training.recipes import lastbn_tablea1_imagenet
from training.recipes.crelu_table2_cifar10 import CRELU, DECAY, PLAIN
from training.tasks.recipe import About

ABOUT = About(
    title="Normalizations and activations in residual nets of 34, 50 and 101 layers on ImageNet",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 4. It takes the rows of ReLU with batch norm from the '
        "authors of the Torch program that it builds on."
    ),
    protocol=(
        "theirs: batch 128, 150 epochs (that program: 256 and 90), learning rate 0.1 with a "
        "tenth every 30 epochs, halved until a net trains, Nesterov momentum 0.9, weight decay "
        "1e-4, windows of random size and shape, flip, colour jitter, shifts of colour; NormProp's "
        "scales from 1/1.21. Here: the same, as in that program every weight decays, and 0.1 for "
        "every row: where that diverges, `learning_rate=0.05` and so on. "
        'That the rate falls every 30 epochs of 150, too, is how we read "we reserve '
        'hyperparameters". Evaluation with ten crops is not part of a recipe.'
    ),
)

QUOTED = dataclasses.replace(lastbn_tablea1_imagenet.PROTOCOL, epochs=90, drops=(30 / 90, 60 / 90))
PROTOCOL = dataclasses.replace(QUOTED, epochs=150, batch_size=128, drops=(0.2, 0.4, 0.6, 0.8))

NORMPROP2, NORMPROP3 = {"norm": "normprop2"}, {"norm": "normprop3"}

# net -> (architecture for a depth, model_args)
NETS = {
    "relu_plain": ("resnet{}", PLAIN),
    "relu_normprop2": ("normprop_resnet{}", {"norm": "normprop2"}),
    "relu_normprop3": ("normprop_resnet{}", {"norm": "normprop3"}),
    "relu_bn": ("resnet{}", {}),
    "crelu_plain": ("crelu_resnet{}", PLAIN),
    "crelu_normprop2": ("normprop_resnet{}", CRELU | {"norm": "normprop2"}),
    "crelu_normprop3": ("normprop_resnet{}", CRELU | {"norm": "normprop3"}),
    "crelu_bn": ("crelu_resnet{}", {}),
}

# depth -> net -> published errors in percent: top-1 / top-5, and the same of ten crops
ERRORS = {
    34: {
        "relu_plain": "29.92 / 10.84, 27.15 / 9.16",
        "relu_normprop2": "29.23 / 10.29, 27.46 / 9.07",
        "relu_normprop3": "29.72 / 10.54, 27.38 / 9.16",
        "relu_bn": "26.73 / 8.74, 24.76 / 7.35",
        "crelu_plain": "28.85 / 10.28, 26.59 / 8.90",
        "crelu_normprop2": "29.31 / 10.29, 27.57 / 9.15",
        "crelu_normprop3": "28.28 / 9.84, 26.26 / 8.73",
        "crelu_bn": "25.62 / 8.28, 23.72 / 7.15",
    },
    50: {
        "relu_plain": "31.48 / 12.27, 29.31 / 10.54",
        "relu_normprop2": "29.75 / 10.80, 28.16 / 9.79",
        "relu_normprop3": "28.08 / 9.74, 26.01 / 8.38",
        "relu_bn": "24.01 / 7.02, 22.24 / 6.08",
        "crelu_plain": "28.00 / 9.58, 26.51 / 8.65",
        "crelu_normprop2": "29.06 / 10.31, 27.58 / 9.35",
        "crelu_normprop3": "26.12 / 8.51, 24.27 / 7.40",
        "crelu_bn": "23.03 / 6.67, 21.59 / 5.69",
    },
    101: {
        "relu_bn": "22.44 / 6.21, 21.08 / 5.35",
        "crelu_bn": "21.89 / 5.92, 20.63 / 5.35",
    },
}

RECIPES = {
    f"resnet{depth}_{net}": dataclasses.replace(
        QUOTED if net == "relu_bn" else PROTOCOL,
        model=NETS[net][0].format(depth),
        tag=f"imagenet_{net}",
        recalibrate=0 if NETS[net][1] is PLAIN else PROTOCOL.recalibrate,
        model_args=DECAY | NETS[net][1],
        published=f"{figures} of ten crops, % top-1 / top-5 error (table 4)",
    )
    for depth, errors in ERRORS.items()
    for net, figures in errors.items()
}
