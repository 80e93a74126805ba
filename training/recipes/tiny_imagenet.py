"""Backbones for photographs: Tiny ImageNet at 64 pixels, all rows by one protocol, for a CPU.

Data:      100,000 training and 10,000 validation photos of 64x64 pixels in 200 of ImageNet's
           classes; no paper of this zoo trains on it (Le, Yang, 2015).
Command:   python -m training.train tiny_imagenet/ROW --data-dir DATA
           In stages: epochs=N sizes='(32,)' first, then weights=runs/…/checkpoint with larger
           sizes and --run runs/…
Cost:      2.1 to 2.5 PFLOP a row.
Expected:  not measured to the end.
"""

import dataclasses

from training.recipes.seqnet_table1_imagenet import rates
from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import TINY_IMAGENET

ABOUT = About(
    title=(
        "Backbones for photographs: Tiny ImageNet at 64 pixels, all rows by one protocol, for a CPU"
    ),
    paper="none; no paper of this zoo trains on these photos.",
    protocol=(
        "windows of random shape and of a quarter of the photo or more, flip, label smoothing 0.1, "
        "SGD with momentum 0.9, batch 128, a cosine after one epoch of warm-up, weight decay 1e-4, "
        "the moving average of the weights, BatchNorm statistics estimated anew. The picture grows "
        "during training: half of the epochs at 32 pixels, a quarter each at 48 and 64 "
        '(progressive sizes; Touvron et al., "Fixing the train-test resolution discrepancy", '
        "NeurIPS 2019, tell why smaller pictures in training cost little). A 3x3/2 stem, 32 "
        "filters in the first stage, which works at 32x32; rates of the convolutions and of the "
        "classifier as in seqnet_table1_imagenet."
    ),
)

PROTOCOL = ClassificationRecipe(
    model="seqnet18",
    tag="tiny_imagenet",
    data="tiny_imagenet",
    epochs=20,
    learning_rate=0.1,
    batch_size=128,
    warmup_epochs=1,
    average=0.999,
    flip=True,
    resized_crop=True,
    least_area=0.25,
    sizes=(32, 32, 48, 64),
    label_smoothing=0.1,
    validate_every=2,
    recalibrate_batch=500,
    preprocess=TINY_IMAGENET,
    model_args={"stem": "tiny_imagenet"},
)

# model -> (rates, width of the first stage, what is published): 345, 339, 339, 375, 338 and, with
# the one width and stem that it has, 404 M multiply-adds.
ROWS = {
    "seqnet18": (rates(0.08), 32, "on ImageNet: 72.4% top-1 accuracy (table 1)"),
    "resnet18": ({}, 50, "on ImageNet: 69.8% top-1 accuracy (table 1)"),
    "resnet18_lastbn": ({}, 50, "on ImageNet: 29.38% top-1 error (table A1)"),
    "seqnet50": (rates(0.02), 24, "on ImageNet: 77.1% top-1 accuracy (table 1)"),
    "crelu_resnet34": ({}, 28, "on ImageNet: 25.62% top-1 error (table 4)"),
    "maxnorm_plainnet50": ({}, None, "on CIFAR-10: 6.65% error (table III)"),
}

RECIPES = {
    model: dataclasses.replace(
        PROTOCOL,
        model=model,
        model_args={**PROTOCOL.model_args, "width": width} if width else {},
        published=published,
        **changes,
    )
    for model, (changes, width, published) in ROWS.items()
}
