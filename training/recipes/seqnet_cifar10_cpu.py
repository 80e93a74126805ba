"""SeqNets, ResNets and the plain nets between them on CIFAR-10, for a CPU.

Command:   python -m training.train seqnet_cifar10_cpu/ROW --data-dir DATA
Cost:      0.42 to 2 PFLOP a row; seqnet18 took 167 minutes on two cores, seqnet50 277.
Expected:  seqnet18 8.42% test error, as `seqnet18.cifar10` has it (1.07% on the training set),
           seqnet50 11.38% (4.65%), at a quarter of seqnet18's rate; one seed each. The other rows
           are not measured.
"""

import dataclasses

from training.recipes.seqnet_table1_imagenet import PROTOCOL, rates
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title="SeqNets, ResNets and the plain nets between them on CIFAR-10, for a CPU",
    paper='Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 1, on ImageNet.',
    protocol=(
        "theirs: see seqnet_table1_imagenet. Here: 16 filters in the first stage in place of 64, "
        "a 3x3 stem, 40 epochs with 2 of warm-up, batch 128, flip and crop of 4 pixels, "
        "bfloat16; the rates as there, weight decay on kernels alone, every last scale from 1. The "
        "plain nets are the ResNets without shortcuts, at the "
        "rates of the SeqNets of their depth."
    ),
)

# model -> (rates, what is published of ImageNet)
ROWS = {
    "resnet18": ({}, "69.8% top-1 accuracy (table 1)"),
    "plainnet18": (rates(0.08), "no figure for plain nets (table 1)"),
    "seqnet18": (rates(0.08), "72.4% top-1 accuracy (table 1)"),
    "resnet50": ({}, "77.4% top-1 accuracy (table 1)"),
    "plainnet50": (rates(0.02), "gradients that grow with the depth (figure 4)"),
    "seqnet50": (rates(0.02), "77.1% top-1 accuracy (table 1)"),
    "skip_seqnet50": (rates(0.02), "77.9% top-1 accuracy (appendix B.3)"),
}

RECIPES = {
    model: dataclasses.replace(
        PROTOCOL,
        model=model,
        tag="cifar10_cpu",
        data="cifar10",
        epochs=40,
        batch_size=128,
        warmup_epochs=2,
        crop=4,
        resized_crop=False,
        dtype="mixed_bfloat16",
        validate_every=4,
        recalibrate_batch=1000,
        preprocess=CIFAR,
        model_args={"stem": "cifar", "width": 16},
        published=f"on ImageNet: {published}",
        **changes,
    )
    for model, (changes, published) in ROWS.items()
}
