"""How depth spoils plain dense ReLU nets on COIL-20, with and without batch normalization.

Command:   python -m training.train maxnorm_figure1_coil20/ROW --data-dir DATA
Cost:      0.0093 to 0.017 PFLOP a row.
Expected:  the error grows with the depth, later with batch norm; no values are printed. Not
           measured.
"""

from training.recipes import maxnorm_figure1_usps
from training.recipes.maxnorm_mlp100_coil20 import on_coil20
from training.tasks.recipe import About

ABOUT = About(
    title="How depth spoils plain dense ReLU nets on COIL-20, with and without batch normalization",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", figure 1, for the depths of table I.'
    ),
    protocol="that of maxnorm_figure1_usps, on the split of maxnorm_mlp100_coil20.",
)

RECIPES = {row: on_coil20(recipe) for row, recipe in maxnorm_figure1_usps.RECIPES.items()}
