"""How depth spoils plain dense ReLU nets on USPS, with and without batch normalization.

Command:   python -m training.train maxnorm_figure1_usps/ROW --data-dir DATA
Cost:      0.0034 to 0.059 PFLOP a row.
Expected:  the error grows with the depth, later with batch norm; no values are printed. Not
           measured.
Compare:   100 layers are in maxnorm_table2_usps and maxnorm_figure9_usps.
"""

import dataclasses

from training.recipes import maxnorm_mlp100_usps
from training.tasks.recipe import About

ABOUT = About(
    title="How depth spoils plain dense ReLU nets on USPS, with and without batch normalization",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", figure 1, for the depths of table I.'
    ),
    protocol=(
        "theirs: 300 ReLUs a layer, batch 128, learning rate within [1e-4, 0.1], momentum 0.9, "
        "weight decay 1e-4, 300 epochs; the initialization is not told. Here: He-uniform, as in "
        "the nets that succeed, and 0.01 falling to 0 by a cosine for every row."
    ),
)

DEPTHS = (3, 5, 10, 15, 20, 40, 50)
BASE = maxnorm_mlp100_usps.RECIPE
NORMS = {"naive": "none", "bn": "batchnorm"}

RECIPES = {
    f"{line}{depth}": dataclasses.replace(
        BASE,
        model=f"maxnorm_mlp{depth}",
        tag=f"usps_{line}",
        model_args={"norm": norm, "nonlinearity": "relu", "max_norm": None},
        recalibrate=BASE.recalibrate if norm == "batchnorm" else 0,
        published="error grows with depth (figure 1; no values printed)",
    )
    for line, norm in NORMS.items()
    for depth in DEPTHS
}
