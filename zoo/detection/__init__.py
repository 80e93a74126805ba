"""Object detection and instance segmentation on any backbone of the zoo."""

from zoo.detection.annotated import AnnotatedImage, AnnotatedImages
from zoo.detection.coco import read_coco
from zoo.detection.drawing import draw
from zoo.detection.evaluation import coco_annotations, coco_results, evaluate_coco
from zoo.detection.mask_rcnn import MaskRCNN
from zoo.detection.prediction import predict
from zoo.detection.training_arrays import to_arrays

__all__ = [
    "AnnotatedImage",
    "AnnotatedImages",
    "MaskRCNN",
    "coco_annotations",
    "coco_results",
    "draw",
    "evaluate_coco",
    "predict",
    "read_coco",
    "to_arrays",
]
