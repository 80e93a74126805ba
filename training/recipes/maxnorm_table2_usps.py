"""What holds 100 dense layers on USPS: batch norm, leaky ReLU, max-norm, and all pairs of them.

Command:   python -m training.train maxnorm_table2_usps/ROW --data-dir DATA
Cost:      about 25 minutes a row on one CPU core (TensorFlow).
Expected:  published, only all three together learn. Here bn_lrelu_maxnorm has 6.28% test error
           (three seeds: 6.23, 6.58, 6.03) and 0.03 to 0.07% train error, and bn_lrelu learns, too:
           10.02% (0.97%). bn, maxnorm and bn_maxnorm stay at chance (82%); lrelu and
           lrelu_maxnorm diverge in the second step, but learn at learning_rate=0.0001, within the
           paper's rates: 11.06% (0.00%) each. The two are one training to the last digit: no norm
           reaches 3 at that rate. `results/maxnorm_table2_usps.md` has all runs.
"""

import dataclasses

from training.recipes import maxnorm_mlp100_usps
from training.tasks.recipe import About

ABOUT = About(
    title=(
        "What holds 100 dense layers on USPS: batch norm, leaky ReLU, max-norm, and all pairs of "
        "them"
    ),
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", table II.'
    ),
    protocol=(
        "theirs: batch 128, learning rate within [1e-4, 0.1], momentum 0.9, weight decay 1e-4, "
        "300 epochs. Here: 0.01 falling to 0 by a cosine for every row, the rest as there."
    ),
)

# row -> (norm, nonlinearity, max_norm, published train and test error)
ROWS = {
    "bn": ("batchnorm", "relu", None, 84.56, 83.21),
    "lrelu": ("none", "leaky_relu", None, 92.37, 92.03),
    "maxnorm": ("none", "relu", 3.0, 86.22, 86.85),
    "bn_lrelu": ("batchnorm", "leaky_relu", None, 78.38, 79.52),
    "bn_maxnorm": ("batchnorm", "relu", 3.0, 82.90, 81.86),
    "lrelu_maxnorm": ("none", "leaky_relu", 3.0, 83.62, 82.11),
    "bn_lrelu_maxnorm": ("batchnorm", "leaky_relu", 3.0, 0.11, 5.48),
}

RECIPES = {
    row: dataclasses.replace(
        maxnorm_mlp100_usps.RECIPE,
        tag=f"usps_{row}",
        model_args={"norm": norm, "nonlinearity": nonlinearity, "max_norm": max_norm},
        recalibrate=maxnorm_mlp100_usps.RECIPE.recalibrate if norm == "batchnorm" else 0,
        published=f"{train}% train error, {test}% test error (table II)",
    )
    for row, (norm, nonlinearity, max_norm, train, test) in ROWS.items()
}
