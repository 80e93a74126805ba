"""What initialization does for dense nets of 3 to 100 layers on COIL-20.

Command:   python -m training.train maxnorm_figure9_coil20/ROW --data-dir DATA
Cost:      0.0093 to 0.025 PFLOP a row.
Expected:  at 100 layers all lines but "proposed" fail, with more than 20% error; no further
           values are printed. Not measured.
Compare:   He_init and BN below 100 layers are the rows of maxnorm_figure1_coil20, "proposed" of
           100 layers is maxnorm_mlp100_coil20.
"""

from training.recipes import maxnorm_figure9_usps
from training.recipes.maxnorm_mlp100_coil20 import on_coil20
from training.tasks.recipe import About

ABOUT = About(
    title="What initialization does for dense nets of 3 to 100 layers on COIL-20",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", figure 9, without its line "Uniform".'
    ),
    protocol="that of maxnorm_figure9_usps, on the split of maxnorm_mlp100_coil20.",
)

RECIPES = {row: on_coil20(recipe) for row, recipe in maxnorm_figure9_usps.RECIPES.items()}
