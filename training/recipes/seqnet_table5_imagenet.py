"""Which kernels of SeqNet50 are tied, on ImageNet.

Command:   python -m training.train seqnet_table5_imagenet/ROW --data-dir DATA
Cost:      6,352 PFLOP a row.
Expected:  the published accuracies, below the 77.1% of the base. Not measured.
Compare:   seqnet_table1_imagenet/seqnet50, the base: the second convolution tied.
"""

import dataclasses

from training.recipes import seqnet_table1_imagenet
from training.tasks.recipe import About

ABOUT = About(
    title="Which kernels of SeqNet50 are tied, on ImageNet",
    paper='Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 5.',
    protocol=(
        'that of seqnet_table1_imagenet, as theirs; in "independent" the two kernels of every pair '
        "start from different numbers, the paper's negative control."
    ),
)

# row -> (model_args, published accuracy in percent)
ROWS = {
    "both_tied": ({"tie_conv4": True}, "76.7"),
    "none_tied": ({"tie_conv2": False}, "76.9"),
    "independent": ({"tie_conv2": False, "independent": True}, "below 70"),
}

RECIPES = {
    row: dataclasses.replace(
        seqnet_table1_imagenet.RECIPES["seqnet50"],
        tag=f"imagenet_{row}",
        model_args=seqnet_table1_imagenet.DECAY | model_args,
        published=f"{accuracy}% top-1 accuracy "
        f"({'appendix B.2' if row == 'independent' else 'table 5'})",
    )
    for row, (model_args, accuracy) in ROWS.items()
}
