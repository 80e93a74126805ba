"""Which errors of a 110-layer plain net are modulated, for a CPU.

Command:   python -m training.train orthonormal_band_cifar10_cpu/ROW --data-dir DATA
Cost:      0.11 PFLOP a row.
Expected:  the paper prints no band: what is looked for is one with which the net learns, from the
           orthonormal start. Not measured.
"""

import dataclasses

from training.recipes import plainnet44_cifar10
from training.tasks.recipe import About

ABOUT = About(
    title="Which errors of a 110-layer plain net are modulated, for a CPU",
    paper='Xie et al., "All You Need is Beyond a Good Init", sections 3.3 and 5.3; no band given.',
    protocol=(
        "that of plainnet44_cifar10 for 110 layers a half as wide (8, 16 and 32 filters), 6 epochs "
        "in place of 164, of which the first is at a tenth of the rate; modulation for the first "
        "1000 of the 2,346 steps. Errors are rescaled where rho, the ratio of those of two "
        "neighbouring layers, is outside [1/t, t], t the band. With 1.1 nearly all points are, "
        "from this start on: a plain BN-ReLU net has 1.21. Above that, those are left which differ."
    ),
)

BANDS = {"band11": 1.1, "band15": 1.5, "band20": 2.0, "band30": 3.0}

RECIPES = {
    row: dataclasses.replace(
        plainnet44_cifar10.RECIPE,
        model="plainnet110",
        model_args={"modulation": True, "width": 8},
        tag=f"cifar10_{row}_cpu",
        epochs=6,
        warmup_epochs=1,
        validate_every=2,
        modulation_steps=1000,
        modulation_band=band,
        published="of twice the width, 164 epochs, band not told: 81.6% test accuracy (table 2)",
    )
    for row, band in BANDS.items()
}
