"""Eight photos learned by heart: what shows that a detector's whole chain works.

Command:   python -m training.train coco_overfit data=FOLDER
Cost:      0.14 PFLOP.
Expected:  box AP50 0.928, mask AP50 0.874 (`results/coco_overfit.md`).
"""

from training.tasks.detection.recipe import DetectionRecipe
from training.tasks.recipe import About
from zoo.preprocessing import IMAGENET

ABOUT = About(
    title="Eight photos learned by heart: what shows that a detector's whole chain works",
    paper='none; the detector is that of He et al., "Mask R-CNN", 2017.',
    protocol=(
        "the first 8 photos with objects of a folder in COCO's format, a ResNet-18 of 16 filters "
        "from fresh weights, 4 photos an update in a canvas of 512 x 512 pixels, not mirrored; "
        "measured on the same photos."
    ),
)

RECIPE = DetectionRecipe(
    model="mask_rcnn_resnet18",
    data="",
    steps=1_600,
    learning_rate=0.02,
    batch_size=4,
    clip_norm=10.0,
    drops=(0.75, 0.9),
    warmup_steps=100,
    size=(512, 512),
    flip=False,
    limit=8,
    round=100,
    validate_every=2,
    validation="train",
    tag="overfit",
    preprocess=IMAGENET,
    model_args={
        "width": 16,
        "fpn_filters": 64,
        "head_units": 256,
        "freeze": None,
        "weight_decay": 0.0,
        "pre_nms": 1000,
        "proposals": 256,
        "roi_samples": 128,
    },
)
