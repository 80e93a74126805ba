"""How long the errors of a 110-layer plain net should be modulated.

Command:   python -m training.train orthonormal_modulation_cifar10/ROW --data-dir DATA
Cost:      12 PFLOP a row.
Expected:  the published figures. Not measured.
Compare:   orthonormal_table2_cifar10/orthonormal110, with modulation for 2000 steps.
"""

import dataclasses

from training.recipes import orthonormal_table2_cifar10
from training.tasks.recipe import About

ABOUT = About(
    title="How long the errors of a 110-layer plain net should be modulated",
    paper=(
        'Xie et al., "All You Need is Beyond a Good Init", section 5.3: 73.5% with modulation '
        "all the time, 81.6% with it at first alone, divergence without it."
    ),
    protocol="that of orthonormal_table2_cifar10 in everything but the steps with modulation.",
)

# row -> (steps with modulation, what is published); 64,000 is more than the training has.
ROWS = {
    "never": (0, "serious divergence"),
    "always": (64_000, "73.5% test accuracy"),
}

RECIPES = {
    row: dataclasses.replace(
        orthonormal_table2_cifar10.RECIPES["orthonormal110"],
        tag=f"cifar10_modulation_{row}",
        modulation_steps=steps,
        published=f"{figure} (section 5.3)",
    )
    for row, (steps, figure) in ROWS.items()
}
