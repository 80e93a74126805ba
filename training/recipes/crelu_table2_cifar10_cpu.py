"""Normalizations and activations in residual nets of 20 layers on CIFAR-10, for a CPU.

Command:   python -m training.train crelu_table2_cifar10_cpu/ROW --data-dir DATA
Cost:      0.49 to 1.9 PFLOP a row; about 40 core-minutes, "double" two hours.
Expected:  the order published for 110 layers. Not measured.
Compare:   residual_cifar10_cpu/resnet20 and crelu_resnet20, the rows with batch norm.
"""

import dataclasses

from training.recipes import crelu_table2_cifar10
from training.recipes.residual_cifar10_cpu import PROTOCOL
from training.tasks.recipe import About

ABOUT = About(
    title="Normalizations and activations in residual nets of 20 layers on CIFAR-10, for a CPU",
    paper=(
        'Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated '
        'Rectified Linear Units", table 2, at 110 layers.'
    ),
    protocol=(
        "theirs: see crelu_table2_cifar10. Here: that of residual_cifar10_cpu, 20 layers and 40 "
        "epochs, weight decay on kernels alone; the rate is halved until a net trains, as theirs. "
        "In the first 150 steps two nets diverged at 0.1, plain without biases (0.05 held) and "
        "NormProp, with scales from 1 in place of 1/1.21 (0.1 / 32 held)."
    ),
)

# The highest rates tried that hold, where that is not the protocol's.
RATES = {"relu_plain_nobias": 0.05, "relu_normprop": 0.1 / 32}

RECIPES = {
    row: dataclasses.replace(
        PROTOCOL,
        model=model.format(20),
        tag=f"cifar10_{row}_cpu",
        learning_rate=RATES.get(row, PROTOCOL.learning_rate),
        recalibrate=crelu_table2_cifar10.RECIPES[row].recalibrate,
        model_args=model_args,
        published=f"of 110 layers, 164 epochs: {error}% test error (table 2)",
    )
    for row, (model, model_args, error, _) in crelu_table2_cifar10.ROWS.items()
    if row not in ("relu_bn", "crelu_bn")
}
