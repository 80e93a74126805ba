"""100 dense layers without a shortcut on COIL-20, 128x128 pictures of objects.

Command:   python -m training.train maxnorm_mlp100_coil20 --data-dir DATA
Cost:      0.025 PFLOP; 300 epochs of 7 steps, minutes on two CPU cores.
Expected:  a small error on both parts, as the figure shows it; no value is printed.
           2.31% test error, 0.00% train error, as `maxnorm_mlp100.coil20` has it.
"""

import dataclasses

from training.recipes import maxnorm_mlp100_usps
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import COIL20

ABOUT = About(
    title="100 dense layers without a shortcut on COIL-20, 128x128 pictures of objects",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", figure 9: batch norm + leaky ReLU + max-norm ("proposed").'
    ),
    protocol=(
        "theirs: a random split of 70% and 30%, batch 128, learning rate within [1e-4, 0.1], "
        "momentum 0.9, weight decay 1e-4, 300 epochs. Here: 0.01 falling to 0 by a cosine, the "
        "rest as there; the split is this project's own. "
        "128x128 pixels make 13.98 M weights; table I's counts fit pictures of 32x32."
    ),
)

IMAGES = 1008


def on_coil20(recipe: ClassificationRecipe) -> ClassificationRecipe:
    """A recipe for USPS, on COIL-20."""
    return dataclasses.replace(
        recipe,
        tag=recipe.tag.replace("usps", "coil20"),
        data="coil20",
        preprocess=COIL20,
        recalibrate=IMAGES if recipe.recalibrate else 0,
        recalibrate_batch=IMAGES,
    )


RECIPE = dataclasses.replace(
    on_coil20(maxnorm_mlp100_usps.RECIPE),
    published="small train and test errors (figure 9; no values printed)",
)
