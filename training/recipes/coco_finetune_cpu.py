"""A detector for the photos of a folder in COCO's format, slim enough for a CPU.

Command:   python -m training.train coco_finetune_cpu data=FOLDER
Cost:      1.5 PFLOP: about an hour on two CPU cores.
Expected:  a detector that takes less than 60% of SeqNet-50's time on top, in training too
           (`benchmarks/detection.py`); its precision is not measured.
"""

import dataclasses

from training.recipes import coco_finetune
from training.tasks.recipe import About

ABOUT = About(
    title="A detector for the photos of a folder in COCO's format, slim enough for a CPU",
    paper=(
        'He et al., "Mask R-CNN", 2017, with half its filters in pyramid and heads, 300 of its '
        "1000 proposals and 256 of its 512 regions."
    ),
    protocol="that of coco_finetune.",
)

RECIPE = dataclasses.replace(
    coco_finetune.RECIPE,
    tag="finetuned_cpu",
    model_args={"fpn_filters": 128, "proposals": 300, "roi_samples": 256},
)
