"""What initialization does for dense nets of 3 to 100 layers on USPS.

Command:   python -m training.train maxnorm_figure9_usps/ROW --data-dir DATA
Cost:      0.0034 to 0.12 PFLOP a row.
Expected:  at 100 layers all lines but "proposed" fail, with more than 20% error; no further
           values are printed. Not measured.
Compare:   He_init and BN below 100 layers are the rows of maxnorm_figure1_usps, "proposed" of 100
           layers is maxnorm_mlp100_usps.
"""

import dataclasses

from training.recipes.maxnorm_figure1_usps import BASE, DEPTHS
from training.tasks.recipe import About

ABOUT = About(
    title="What initialization does for dense nets of 3 to 100 layers on USPS",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", figure 9: the lines He_init, Glorot_init, BN and proposed. Its line '
        '"Uniform" is left out: the range of that initialization is not told.'
    ),
    protocol=(
        "theirs: that of figure 1; for which lines batch norm is on is not told. Here: He and "
        'Glorot uniform without it, BN with He-uniform; leaky ReLU and max-norm in "proposed" '
        "alone; the rest as in maxnorm_figure1_usps."
    ),
)

NAIVE = {"norm": "none", "nonlinearity": "relu", "max_norm": None}

# line -> (depths, model_args, what the figure tells)
LINES = {
    "he": ((100,), NAIVE, "fails"),
    "glorot": ((*DEPTHS, 100), NAIVE | {"initializer": "glorot_uniform"}, "fails when deep"),
    "bn": ((100,), NAIVE | {"norm": "batchnorm"}, "fails"),
    "proposed": (DEPTHS, {}, "small train and test errors"),
}

RECIPES = {
    f"{line}{depth}": dataclasses.replace(
        BASE,
        model=f"maxnorm_mlp{depth}",
        tag=f"usps_figure9_{line}",
        model_args=model_args,
        recalibrate=0 if model_args.get("norm") == "none" else BASE.recalibrate,
        published=f"{told} (figure 9; no values printed)",
    )
    for line, (depths, model_args, told) in LINES.items()
    for depth in depths
}
