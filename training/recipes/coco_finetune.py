"""A detector for the photos of a folder in COCO's format.

Command:   python -m training.train coco_finetune data=FOLDER
Cost:      3.5 PFLOP: hours on two CPU cores.
Expected:  whatever the photos allow; `metrics.json` tells the average precisions. Not measured.
"""

from training.tasks.detection.recipe import DetectionRecipe
from training.tasks.recipe import About
from zoo.preprocessing import IMAGENET

ABOUT = About(
    title="A detector for the photos of a folder in COCO's format",
    paper='He et al., "Mask R-CNN", 2017.',
    protocol=(
        "2,000 updates of 2 photos in a canvas of 512 x 512 pixels, rate 0.0025 (0.02 for 16 "
        "photos, scaled) with 200 updates of warm-up. `data` is a folder with a JSON of "
        "annotations and photos, see `zoo.detection.read_coco`; `weights=CHECKPOINT` starts from "
        "a detector, `backbone_weights=CHECKPOINT` from a classifier, and both from fresh "
        "weights where neither is given."
    ),
)

RECIPE = DetectionRecipe(
    model="mask_rcnn_seqnet50",
    data="",
    steps=2_000,
    learning_rate=0.0025,
    batch_size=2,
    warmup_steps=200,
    size=(512, 512),
    round=200,
    tag="finetuned",
    preprocess=IMAGENET,
)
