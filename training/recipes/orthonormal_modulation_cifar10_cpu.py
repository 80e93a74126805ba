"""A 110-layer plain net with and without modulation, for a CPU.

Command:   python -m training.train orthonormal_modulation_cifar10_cpu/ROW --data-dir DATA
Cost:      1.5 PFLOP a row; about 1.7 core-hours.
Expected:  delta 78.52% test accuracy, as `plainnet110.cifar10` has it; delta_never 79.52%: from
           this start the net learns without modulation too, and about as well. It leaves 15 of
           the 108 points outside the band: the two rows hardly test modulation. The other rows
           are not measured.
"""

import dataclasses

from training.recipes import plainnet44_cifar10
from training.recipes.orthonormal_table2_cifar10 import L2
from training.tasks.recipe import About

ABOUT = About(
    title="A 110-layer plain net with and without modulation, for a CPU",
    paper='Xie et al., "All You Need is Beyond a Good Init", section 5.3 and table 2.',
    protocol=(
        'that of plainnet44_cifar10, 20 epochs in place of 164, for 110 layers; "first" has '
        'modulation in the first 2000 of its 7,800 steps, "l2" is the baseline with weight '
        'decay. The two "delta" rows are ours, for so few steps: kernels start at their centre '
        "(`zoo.initializers.DeltaOrthonormal`) and beta at 1, which leaves 1.06 of the 1.21 by "
        "which errors grow per layer; rate 0.01, one epoch of warm-up, cosine; modulation for "
        "250 steps, or never: the paper prints no number of steps."
    ),
)

DELTA = {"initializer": "delta_orthonormal", "beta": 1.0}
BEST = "81.6% test accuracy after 164 epochs (table 2)"
NEVER = "serious divergence (section 5.3)"
WARM = {"warmup_epochs": 1}  # at 0.01, as He et al. train 110 layers
RATE = {"learning_rate": 0.01, "schedule": "cosine", "warmup_epochs": 1}

# row -> (model_args, steps with modulation, what is published, other changes)
ROWS = {
    "first": ({"modulation": True}, 2000, BEST, WARM),
    "always": (
        {"modulation": True},
        64_000,
        "73.5% test accuracy after 164 epochs (section 5.3)",
        WARM,
    ),
    "never": ({}, 0, NEVER, WARM),
    "l2": (L2, 0, "11.83% test accuracy after 164 epochs (table 2, SGD)", WARM),
    "delta": ({"modulation": True, **DELTA}, 250, f"{BEST}, from another start", RATE),
    "delta_never": (DELTA, 0, f"{NEVER}, from another start", RATE),
}

RECIPES = {
    row: dataclasses.replace(
        plainnet44_cifar10.RECIPE,
        model="plainnet110",
        tag=f"cifar10_{row}_cpu",
        epochs=20,
        modulation_steps=steps,
        model_args=model_args,
        published=published,
        **changes,
    )
    for row, (model_args, steps, published, changes) in ROWS.items()
}
