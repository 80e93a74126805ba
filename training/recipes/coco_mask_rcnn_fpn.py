"""Mask R-CNN with FPN on COCO 2017, on the backbones of SeqNet's paper.

Paper:     Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 2; the detector
           and its protocol are He et al. (2017) and Lin et al. (2017).
Protocol:  theirs: backbones trained on ImageNet, then 180k (2X) or 270k (3X) updates. It names no
           more; what follows is the usual protocol of that length: 16 photos an update, rate 0.02
           behind a warm-up of 500 updates, a tenth of it after 120k and 160k (2X) or 210k and
           250k (3X). Photos are scaled into a canvas of 1024 x 1024 pixels, whose shape never
           changes, in place of 800 pixels on the shorter side. The table's ResNet-50 with group
           normalization is not in the zoo. The zoo ships no weights of ImageNet: give those of
           seqnet_table1_imagenet as backbone_weights, fresh ones need longer.
Command:   python -m training.train coco_mask_rcnn_fpn/ROW --data-dir DATA
           backbone_weights=CHECKPOINT
Cost:      4,696 to 9,208 PFLOP a row; half a day to a day on a large GPU that is kept busy.
Expected:  published figures are in the rows. Not measured.
"""

from training.detection.recipe import DetectionRecipe
from zoo.preprocessing import IMAGENET

# row -> (backbone, updates, drops, published AP of boxes and of masks)
ROWS = {
    "resnet50_2x": ("resnet50", 180_000, (120_000, 160_000), 38.6, 34.5),
    "seqnet50_2x": ("seqnet50", 180_000, (120_000, 160_000), 39.8, 35.3),
    "seqnet50_3x": ("seqnet50", 270_000, (210_000, 250_000), 40.6, 36.0),
}

RECIPES = {
    row: DetectionRecipe(
        model=f"mask_rcnn_{backbone}",
        data="coco2017",
        steps=steps,
        learning_rate=0.02,
        drops=tuple(drop / steps for drop in drops),
        size=(1024, 1024),
        round=2_500,
        dtype="mixed_bfloat16",
        tag=f"coco_{row.rpartition('_')[2]}",
        preprocess=IMAGENET,
        published=f"box AP {box}, mask AP {mask} (table 2)",
    )
    for row, (backbone, steps, drops, box, mask) in ROWS.items()
}
