"""SeqNets without orthogonal regularization on ImageNet.

Command:   python -m training.train seqnet_table4_imagenet/ROW --data-dir DATA
Cost:      4,910 to 11,052 PFLOP a row.
Expected:  1.1 to 1.6 points less than with the regularizer, as published. Not measured.
Compare:   seqnet_table1_imagenet, with the regularizer: 75.3%, 77.1% and 76.7%.
"""

import dataclasses

from training.recipes import seqnet_table1_imagenet
from training.tasks.recipe import About

ABOUT = About(
    title="SeqNets without orthogonal regularization on ImageNet",
    paper='Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 4.',
    protocol="that of seqnet_table1_imagenet, as theirs.",
)

# model -> published accuracy in percent
ROWS = {"seqnet34": "73.7", "seqnet50": "75.7", "seqnet101": "75.6"}

RECIPES = {
    model: dataclasses.replace(
        seqnet_table1_imagenet.RECIPES[model],
        tag="imagenet_not_orthogonal",
        model_args=seqnet_table1_imagenet.DECAY | {"orthogonal": 0.0},
        published=f"{accuracy}% top-1 accuracy (table 4)",
    )
    for model, accuracy in ROWS.items()
}
