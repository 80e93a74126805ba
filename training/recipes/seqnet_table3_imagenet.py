"""Initialization, bias and position of the 3x3 convolution in SeqNet50 on ImageNet.

Command:   python -m training.train seqnet_table3_imagenet/ROW --data-dir DATA
Cost:      4,931 to 6,945 PFLOP a row.
Expected:  the published accuracies, all close to the 77.1% of the base. Not measured.
Compare:   seqnet_table1_imagenet/seqnet50, the base: R-Init, no bias, first layer.
"""

import dataclasses

from training.recipes import seqnet_table1_imagenet
from training.tasks.recipe import About

ABOUT = About(
    title="Initialization, bias and position of the 3x3 convolution in SeqNet50 on ImageNet",
    paper='Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 3.',
    protocol="that of seqnet_table1_imagenet, as theirs.",
)

# row -> (model_args, published accuracy in percent, part of the table)
ROWS = {
    "init_o": ({"init": "O"}, "77.0", "a"),
    "init_l": ({"init": "L"}, "77.0", "a"),
    "inner_bias": ({"inner_bias": True}, "77.0", "b"),
    "inner_norm": ({"inner_norm": True}, "76.8", "b"),
    "second": ({"position": 2}, "76.7", "c"),
    "third": ({"position": 3}, "77.0", "c"),
}

RECIPES = {
    row: dataclasses.replace(
        seqnet_table1_imagenet.RECIPES["seqnet50"],
        tag=f"imagenet_{row}",
        model_args=seqnet_table1_imagenet.DECAY | model_args,
        published=f"{accuracy}% top-1 accuracy (table 3{part})",
    )
    for row, (model_args, accuracy, part) in ROWS.items()
}
