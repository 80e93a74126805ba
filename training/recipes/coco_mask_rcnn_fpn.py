"""Mask R-CNN with FPN on COCO 2017, on the backbones of SeqNet's paper.

Command:   python -m training.train coco_mask_rcnn_fpn/ROW --data-dir DATA
           backbone_weights=CHECKPOINT
Cost:      4,696 to 9,208 PFLOP a row; half a day to a day on a large GPU that is kept busy.
Expected:  published figures are in the rows. Not measured.
"""

from training.tasks.detection.recipe import DetectionRecipe
from training.tasks.recipe import About
from zoo.preprocessing import IMAGENET

ABOUT = About(
    title="Mask R-CNN with FPN on COCO 2017, on the backbones of SeqNet's paper",
    paper=(
        'Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 2; the detector '
        "and its protocol are He et al. (2017) and Lin et al. (2017)."
    ),
    protocol=(
        "theirs: backbones trained on ImageNet, then 180k (2X) or 270k (3X) updates. It names no "
        "more; what follows is the usual protocol of that length: 16 photos an update, rate 0.02 "
        "behind a warm-up of 500 updates, a tenth of it after 120k and 160k (2X) or 210k and "
        "250k (3X). Photos are scaled into a canvas of 1024 x 1024 pixels, whose shape never "
        'changes, in place of 800 pixels on the shorter side. Rows with "gn" have group '
        "normalization in backbone, pyramid and heads, the others frozen batch normalization; "
        "the paper does not tell what its SeqNets had. The zoo ships no weights of ImageNet: "
        "give those of a classifier trained on it, fresh ones need longer."
    ),
)

# schedule -> (updates, drops)
SCHEDULES = {"2x": (180_000, (120_000, 160_000)), "3x": (270_000, (210_000, 250_000))}
GROUP_NORM = {"norm": "groupnorm", "head_norm": "group"}
# row -> (backbone, arguments, published AP of boxes and of masks)
ROWS = {
    "resnet50_2x": ("resnet50", {}, 38.6, 34.5),
    "resnet50_gn_2x": ("resnet50", GROUP_NORM, 40.3, 35.7),
    "seqnet50_2x": ("seqnet50", {}, 39.8, 35.3),
    "resnet50_gn_3x": ("resnet50", GROUP_NORM, 40.8, 36.1),
    "seqnet50_3x": ("seqnet50", {}, 40.6, 36.0),
}


def recipe(row: str) -> DetectionRecipe:
    backbone, model_args, box, mask = ROWS[row]
    name, _, schedule = row.rpartition("_")
    steps, drops = SCHEDULES[schedule]
    return DetectionRecipe(
        model=f"mask_rcnn_{backbone}",
        data="coco2017",
        steps=steps,
        learning_rate=0.02,
        drops=tuple(drop / steps for drop in drops),
        size=(1024, 1024),
        round=2_500,
        dtype="mixed_bfloat16",
        tag=f"coco{name.removeprefix(backbone)}_{schedule}",
        preprocess=IMAGENET,
        model_args=model_args,
        published=f"box AP {box}, mask AP {mask} (table 2)",
    )


RECIPES = {row: recipe(row) for row in ROWS}
