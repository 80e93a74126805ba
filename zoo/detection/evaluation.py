"""Average precision by COCO's rules. Needs pycocotools."""

import contextlib
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.detection.annotated import AnnotatedImages
from zoo.errors import ZooError

KINDS = {"box": "bbox", "mask": "segm"}

# As pycocotools orders them. AP is the mean over IoU thresholds 0.5, 0.55, … 0.95; objects are
# small below 32 x 32 pixels, large from 96 x 96 on; AR10 allows 10 detections per picture.
FIGURES = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)


def coco_results(
    predictions: Iterable[tuple[Any, Mapping[str, Any]]], category_ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Predictions in COCO's format of results, ready for `json.dump`.

    Args:
        predictions: iterable of (number of the picture, what `zoo.detection.predict` gives for
            it).
        category_ids: sequence of int, the data set's own number of each class.

    Returns:
        List of dicts, one per detection: "image_id", "category_id", "bbox" (left, top, width,
        height in pixels), "score", and "segmentation" (compressed run lengths) where there are
        masks.

    Raises:
        ZooError: a label is not among `category_ids`; a score or coordinate is not finite.

    Example:

    >>> detections = {"boxes": [[10, 20, 30, 50]], "scores": [0.9], "labels": [1]}
    >>> coco_results([(42, detections)], category_ids=(3, 7))
    [{'image_id': 42, 'category_id': 7, 'bbox': [10.0, 20.0, 20.0, 30.0], 'score': 0.9}]
    """
    results = []
    for image_id, detections in predictions:
        rows = zip(detections["boxes"], detections["scores"], detections["labels"], strict=True)
        for i, (box, score, label) in enumerate(rows):
            x1, y1, x2, y2 = (float(v) for v in box)
            values = [x1, y1, x2 - x1, y2 - y1, float(score)]
            if not 0 <= label < len(category_ids) or not all(map(math.isfinite, values)):
                raise ZooError(
                    f"Picture {image_id}: detections need finite boxes and scores, and a label of "
                    f"0 to {len(category_ids) - 1}. Received: {values}, label {label}"
                )
            result = {
                "image_id": image_id.item() if isinstance(image_id, np.generic) else image_id,
                "category_id": category_ids[label],
                "bbox": values[:4],
                "score": values[4],
            }
            if "masks" in detections:
                result["segmentation"] = detections["masks"][i]
            results.append(result)
    return results


def coco_annotations(images: AnnotatedImages) -> dict[str, Any]:
    """The objects of a data set in the form of COCO's JSON, as `evaluate_coco` takes them.

    For sets without such a file, or with flaws that the reader has put right.

    Args:
        images: `AnnotatedImages`.

    Returns:
        Dict of "images", "annotations" and "categories".

    Example:

    >>> from zoo.detection import AnnotatedImage, AnnotatedImages
    >>> one = np.ones(1)
    >>> image = AnnotatedImage(
    ...     42, b"", (60, 80), np.array([[10, 20, 30, 50]]), [0], [False], [600], None
    ... )
    >>> images = AnnotatedImages(lambda row: row, [image], ("dog",), (7,), problems=None)
    >>> coco_annotations(images)["annotations"][0]["bbox"]
    [10.0, 20.0, 20.0, 30.0]
    """
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image in images:
        height, width = image.size
        entries.append({"id": image.image_id, "height": height, "width": width})
        for i, (x1, y1, x2, y2) in enumerate(np.asarray(image.boxes, float).tolist()):
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image.image_id,
                "category_id": images.category_ids[image.labels[i]],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "iscrowd": int(image.crowd[i]),
                "area": float(image.area[i]),
            }
            if image.segmentation is not None and image.segmentation[i] is not None:
                annotation["segmentation"] = image.segmentation[i]
            annotations.append(annotation)
    pairs = zip(images.category_ids, images.labels, strict=True)
    categories = [{"id": number, "name": name} for number, name in pairs]
    return {"images": entries, "annotations": annotations, "categories": categories}


def evaluate_coco(
    results: Sequence[Mapping[str, Any]] | str | os.PathLike,
    annotations: Mapping[str, Any] | str | os.PathLike,
    *,
    kinds: Sequence[str] | None = None,
    image_ids: Sequence[Any] | None = None,
    verbose: bool = False,
) -> dict[str, dict[str, Any]]:
    """Average precision and recall by COCO's own program.

    Objects without outline are ignored where masks are compared: neither missed nor found.

    Args:
        results: list of `coco_results`, or the path of a file of them.
        annotations: path of the set's JSON file or its content, see `coco_annotations`.
        kinds: sequence of str, what to compare, of "box" and "mask"; None for boxes, and masks
            where both sides have them.
        image_ids: sequence of the pictures to evaluate on; None for all that are annotated, also
            those without any result.
        verbose: bool, whether pycocotools may print its progress and table.

    Returns:
        Dict of kind -> figure of `FIGURES` -> float, 0 to 1, NaN where there is no object of that
        size; and "per_class": name -> AP.

    Raises:
        ZooError: pycocotools is not installed; a result is of a picture or category that is not
            annotated, or lacks a key; there is no picture or no such kind.

    References:
        - Lin et al., "Microsoft COCO: Common Objects in Context", and its evaluation program.

    Example:

    >>> annotations = {
    ...     "images": [{"id": 42, "height": 60, "width": 80}],
    ...     "annotations": [{"image_id": 42, "category_id": 7, "bbox": [10, 20, 20, 30]}],
    ...     "categories": [{"id": 7, "name": "dog"}],
    ... }
    >>> results = [{"image_id": 42, "category_id": 7, "bbox": [10, 20, 20, 29], "score": 0.9}]
    >>> round(evaluate_coco(results, annotations)["box"]["AP75"], 3)
    1.0
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ZooError(
            f'COCO evaluation needs pycocotools ({error}): pip install "zoo[coco]"'
        ) from error
    truth: dict[str, Any] = _read(annotations)
    entries: list[dict[str, Any]] = _read(results)
    _check(entries, truth, image_ids)
    if kinds is None:
        outlines = any(a.get("segmentation") for a in truth["annotations"])
        masks = outlines and all("segmentation" in entry for entry in entries)
        kinds = ["box", "mask"] if masks else ["box"]
    if wrong := set(kinds) - set(KINDS):
        raise ZooError(f"kinds must be of {tuple(KINDS)}. Received: {sorted(wrong)}")
    if "mask" in kinds and (bare := [e for e in entries if "segmentation" not in e]):
        raise ZooError(f"{len(bare)} results have no 'segmentation', so masks cannot be compared.")
    figures: dict[str, dict[str, Any]] = {}
    with contextlib.nullcontext() if verbose else contextlib.redirect_stdout(io.StringIO()):
        for kind in kinds:
            sides = COCO(), COCO()
            sides[0].dataset = _objects(truth, kind)
            sides[1].dataset = {**sides[0].dataset, "annotations": _detections(entries, kind)}
            for side in sides:
                side.createIndex()
            evaluation = COCOeval(*sides, KINDS[kind])
            if image_ids is not None:
                evaluation.params.imgIds = list(image_ids)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            figures[kind] = dict(zip(FIGURES, map(_figure, evaluation.stats), strict=True))
            figures[kind]["per_class"] = _per_class(evaluation, truth["categories"])
    return figures


def _read(source: Any) -> Any:
    if not isinstance(source, str | os.PathLike):
        return source
    try:
        return json.loads(Path(source).read_text("utf-8-sig"))
    except ValueError as error:
        raise ZooError(f"{source} is not JSON ({error}).") from error


def _check(results: Sequence[Mapping], truth: Mapping, image_ids: Sequence | None) -> None:
    if not isinstance(truth, Mapping) or not truth.get("images") or "annotations" not in truth:
        raise ZooError("annotations must be in COCO's format, with at least one picture.")
    known = {
        "image_id": {image["id"] for image in truth["images"]},
        "category_id": {category["id"] for category in truth["categories"]},
    }
    for i, annotation in enumerate(truth["annotations"]):
        box = annotation.get("bbox")
        if not isinstance(box, Sequence) or len(box) != 4 or None in box:
            raise ZooError(
                f"annotations[{i}] needs a bbox of four numbers. Received: {box!r}. Give "
                "coco_annotations(read_coco(FOLDER)), which leaves out what cannot be used."
            )
    for i, result in enumerate(results):
        for key in ("image_id", "category_id", "bbox", "score"):
            if key not in result:
                raise ZooError(f"results[{i}] has no {key!r}. Received: {sorted(result)}")
            if key in known and result[key] not in known[key]:
                raise ZooError(f"results[{i}]: {key} {result[key]!r} is not in the annotations.")
    if unknown := set(image_ids or ()) - known["image_id"]:
        raise ZooError(f"image_ids are not in the annotations: {sorted(unknown)[:8]}")


def _objects(truth: Mapping, kind: str) -> dict[str, Any]:
    """A copy with all that pycocotools needs, which writes into the annotations it is given."""
    annotations = []
    for i, annotation in enumerate(truth["annotations"]):
        width, height = annotation["bbox"][2:]
        annotation = {"iscrowd": 0, "area": width * height, **annotation}
        annotation["id"] = i + 1  # the program takes 0 for "no match"
        if kind == "mask" and not annotation.get("segmentation"):
            annotation |= {"segmentation": [_rectangle(annotation["bbox"])], "iscrowd": 1}
        annotations.append(annotation)
    return {**{k: truth[k] for k in ("images", "categories")}, "annotations": annotations}


def _detections(results: Sequence[Mapping], kind: str) -> list[dict[str, Any]]:
    detections = []
    for i, result in enumerate(results):
        if kind == "mask":
            # By the object's own area, not its box's, it is small, medium or large.
            from pycocotools import mask

            area = float(mask.area(result["segmentation"]))
        else:
            area = result["bbox"][2] * result["bbox"][3]
        detections.append({**result, "id": i + 1, "iscrowd": 0, "area": area})
    return detections


def _rectangle(box: Sequence[float]) -> list[float]:
    x, y, width, height = box
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def _figure(value: float) -> float:
    return math.nan if value < 0 else float(value)


def _per_class(evaluation: Any, categories: Sequence[Mapping]) -> dict[str, float]:
    names = {category["id"]: category["name"] for category in categories}
    result = {}
    for k, category_id in enumerate(evaluation.params.catIds):
        # (thresholds, recalls, classes, sizes, detections): of all sizes, 100 detections.
        precision = evaluation.eval["precision"][:, :, k, 0, -1]
        precision = precision[precision > -1]
        result[names[category_id]] = float(precision.mean()) if precision.size else math.nan
    return result
