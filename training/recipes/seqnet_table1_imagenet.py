"""Plain nets of 18 to 134 layers beside residual nets on ImageNet.

Command:   python -m training.train seqnet_table1_imagenet/ROW --data-dir DATA
Cost:      1,394 to 11,052 PFLOP a row.
Expected:  the published accuracies: SeqNets of 18 and 34 layers above the ResNets, of 50 level with
           them. Not measured.
"""

import dataclasses

from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import IMAGENET

ABOUT = About(
    title="Plain nets of 18 to 134 layers beside residual nets on ImageNet",
    paper=(
        'Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 1, and appendix '
        "B.3 for the SeqNet with skips. Its rows DiracNet and ISONet are left out: they are not "
        "of this zoo."
    ),
    protocol=(
        "theirs: SGD with batch 256, momentum 0.9, weight decay 1e-4, a cosine after 5 epochs of "
        "warm-up, windows of random size and shape and flip, the mean of 5 runs. ResNets at 0.1; "
        "of SeqNets the classifier at 0.1, all else at 0.08, 0.04, 0.02 and 0.02 by depth, with "
        "101 layers 6/23 of that in stage 3. Here: the same; that the training has 100 epochs is "
        "from the published program, as is the strength of the orthogonal regularizer, 1e-4. "
        "As in that program, too, every weight decays, not kernels alone, the last scale of a "
        "ResNet's block starts at 0, and the head's batch normalization has the classifier's rate. "
        "The SeqNet with skips has the rates of the one "
        "without."
    ),
)

DECAY = {"decay": "all"}

PROTOCOL = ClassificationRecipe(
    model="resnet18",
    tag="imagenet",
    data="imagenet2012",
    epochs=100,
    learning_rate=0.1,
    batch_size=256,
    warmup_epochs=5,
    flip=True,
    resized_crop=True,
    recalibrate_batch=250,
    preprocess=IMAGENET,
)


def rates(convolutions: float, classifier: float = 0.1, **others: float) -> dict:
    """The settings for a rate of all variables but the head's and those of `others`."""
    multipliers = {"head_*": classifier / convolutions, **others}
    return {"learning_rate": convolutions, "multipliers": multipliers}


# model -> (rates, what is published)
ROWS = {
    "resnet18": ({}, "69.8% top-1 accuracy (table 1)"),
    "resnet34": ({}, "73.3% top-1 accuracy (table 1)"),
    "resnet50": ({}, "77.4% top-1 accuracy (table 1)"),
    "resnet101": ({}, "78.8% top-1 accuracy (table 1)"),
    "seqnet18": (rates(0.08), "72.4% top-1 accuracy (table 1)"),
    "seqnet34": (rates(0.04), "75.7% top-1 accuracy (table 1; 75.3% in table 4)"),
    "seqnet50": (rates(0.02), "77.1% top-1 accuracy (table 1)"),
    "seqnet101": (rates(0.02, **{"stage3_*": 6 / 23}), "76.7% top-1 accuracy (table 1)"),
    "skip_seqnet50": (rates(0.02), "77.9% top-1 accuracy (appendix B.3)"),
}

RECIPES = {
    model: dataclasses.replace(
        PROTOCOL,
        model=model,
        model_args=DECAY | ({"last_gamma": 0.0} if model.startswith("resnet") else {}),
        published=published,
        **changes,
    )
    for model, (changes, published) in ROWS.items()
}
