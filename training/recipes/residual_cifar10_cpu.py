"""Five ways to build a residual net of 20 layers, on CIFAR-10 with one budget, for a CPU.

Command:   python -m training.train residual_cifar10_cpu/ROW --data-dir DATA
Cost:      0.49 to 0.74 PFLOP a row; 52 to 102 minutes on two cores.
Expected:  resnet20 9.41% test error, resnet20_lastbn 9.80%, preresnet20 9.79%, crelu_resnet20
           9.03%, as their `.cifar10` have it; one seed each. The other row is not measured.
"""

import dataclasses

from training.recipes import lastbn_table1_cifar10
from training.tasks.recipe import About

ABOUT = About(
    title="Five ways to build a residual net of 20 layers, on CIFAR-10 with one budget, for a CPU",
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        'DNNs", table 1, and Shang et al., "Exploring Normalization in Deep Residual Networks '
        'with Concatenated Rectified Linear Units", table 2, at 56 and 110 layers.'
    ),
    protocol=(
        "theirs: see lastbn_table1_cifar10 and crelu_table2_cifar10. Here: 20 layers, 40 epochs, "
        "0.1 falling to 0 by a cosine after 1 epoch of warm-up, bfloat16, weight decay on kernels "
        "alone, the zoo's own start of the classifier and of the last BN, the rest as there; "
        "seed 0; others by `seed=1 --run RUN`."
    ),
)

PROTOCOL = dataclasses.replace(
    lastbn_table1_cifar10.PROTOCOL,
    tag="cifar10_cpu",
    epochs=40,
    schedule="cosine",
    warmup_epochs=1,
    dtype="mixed_bfloat16",
)

# row -> published
ROWS = {
    "resnet20": "of 56 layers, 160 epochs: 7.52% test error (table 1)",
    "resnet20_lastbn": "of 56 layers, 160 epochs: 6.50% test error (table 1)",
    "preresnet20": "of 56 layers, 160 epochs: 6.89% test error (table 1)",
    "preresnet20_v1": "of 56 layers, 160 epochs: 6.75% test error (table 1)",
    "crelu_resnet20": "of 110 layers, 164 epochs: 5.72% test error (Shang et al., table 2)",
}

RECIPES = {
    row: dataclasses.replace(PROTOCOL, model=row, published=published)
    for row, published in ROWS.items()
}
