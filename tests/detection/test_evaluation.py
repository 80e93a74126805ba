"""COCO's figures by hand, and the whole way from ground truth over arrays and files to them."""

import copy
import json
import math
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from zoo.detection import read_coco
from zoo.detection.evaluation import (
    FIGURES,
    coco_annotations,
    coco_results,
    evaluate_coco,
)
from zoo.detection.masks import encode_rle, outline_to_mask
from zoo.detection.training_arrays import resize_and_pad, to_arrays, to_original
from zoo.errors import ZooError

pytestmark = pytest.mark.once

needs_api = pytest.mark.skipif(not find_spec("pycocotools"), reason="needs pycocotools")


def rectangle(x, y, width, height):
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def annotation(number, image, category, box, **more):
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
        "segmentation": rectangle(*box),
        **more,
    }


def truth(*annotations):
    return {
        "images": [{"id": i, "height": 100, "width": 120} for i in (7, 42)],
        "categories": [{"id": 5, "name": "cat"}, {"id": 90, "name": "dog"}],
        "annotations": list(annotations),
    }


TWO = truth(
    annotation(0, 7, 5, [10, 20, 40, 50]),
    annotation(1, 42, 90, [0, 0, 20, 20]),
)


def result(image, category, box, score=0.9, **more):
    return {"image_id": image, "category_id": category, "bbox": box, "score": score, **more}


PERFECT = [result(7, 5, [10, 20, 40, 50]), result(42, 90, [0, 0, 20, 20])]


def test_results():
    found = {
        "boxes": np.array([[10, 20, 50, 70.5]], "float32"),
        "scores": np.array([0.5], "float32"),
        "labels": np.array([1]),
        "masks": [encode_rle(np.ones((2, 3)))],
    }
    predictions = [(np.int64(7), found), (8, {k: v[:0] for k, v in found.items()})]
    results = json.loads(json.dumps(coco_results(predictions, (5, 90))))
    assert results == [
        result(7, 90, [10, 20, 40, 50.5], 0.5, segmentation={"size": [2, 3], "counts": "06"})
    ]
    del found["masks"]
    assert "segmentation" not in coco_results([(7, found)], (5, 90))[0]


@pytest.mark.parametrize(("key", "value"), [("labels", 2), ("scores", np.nan), ("boxes", np.inf)])
def test_results_of_broken_predictions(key, value):
    found = {"boxes": np.zeros((1, 4)), "scores": np.ones(1), "labels": np.array([0])}
    found[key] = np.full_like(found[key], value)
    with pytest.raises(ZooError, match="Picture 7: detections need"):
        coco_results([(7, found)], (5, 90))


@needs_api
def test_perfect():
    figures = evaluate_coco(PERFECT, TWO)
    assert list(figures) == ["box"]
    assert list(figures["box"]) == [*FIGURES, "per_class"]
    assert figures["box"].pop("per_class") == pytest.approx({"cat": 1, "dog": 1})
    expected = dict.fromkeys(FIGURES, 1) | {"AP_large": math.nan, "AR_large": math.nan}
    assert figures["box"] == pytest.approx(expected, nan_ok=True)


@needs_api
def test_one_of_two_found():
    both = truth(*(annotation(i + 1, 7, 5, [30 * i, 0, 20, 20]) for i in range(2)))
    figures = evaluate_coco([result(7, 5, [0, 0, 20, 20])], both)["box"]
    # Precision 1 at recall 0, 0.01, … 0.5: 51 of 101 places.
    assert figures["AP"] == pytest.approx(51 / 101)
    assert figures["AR100"] == pytest.approx(0.5)
    assert figures["per_class"] == pytest.approx({"cat": 51 / 101, "dog": math.nan}, nan_ok=True)


@needs_api
def test_overlap_decides():
    # 62 of 100 pixels: an object at thresholds 0.5, 0.55 and 0.6 of ten.
    one = truth(annotation(1, 7, 5, [0, 0, 10, 10]))
    figures = evaluate_coco([result(7, 5, [0, 0, 6.2, 10])], one)["box"]
    figures = {key: figures[key] for key in ("AP", "AP50", "AP75")}
    assert figures == pytest.approx({"AP": 0.3, "AP50": 1, "AP75": 0})


@needs_api
def test_masks_by_their_pixels():
    runs = encode_rle(outline_to_mask(rectangle(10, 20, 40, 50), (100, 120)))
    half = encode_rle(outline_to_mask(rectangle(10, 20, 20, 50), (100, 120)))
    one = truth(annotation(1, 7, 5, [10, 20, 40, 50]))
    for segmentation, expected in ((runs, 1.0), (half, 0.1)):  # IoU 0.5 counts at 0.5 alone
        results = [result(7, 5, [10, 20, 40, 50], segmentation=segmentation)]
        figures = evaluate_coco(results, one)
        assert figures["box"]["AP"] == pytest.approx(1.0)
        assert figures["mask"]["AP"] == pytest.approx(expected)
    # A thin object in a large box is small where masks are compared, a false one too.
    thin = encode_rle(np.eye(100, 120) > 0)
    small = truth(annotation(1, 7, 5, [0, 0, 9, 9]))
    wrong = result(42, 5, [0, 0, 100, 100], 0.99, segmentation=thin)
    square = encode_rle(outline_to_mask(rectangle(0, 0, 9, 9), (100, 120)))
    right = result(7, 5, [0, 0, 9, 9], segmentation=square)
    figures = evaluate_coco([right, wrong], small)
    assert figures["box"]["AP_small"] == pytest.approx(1.0)
    assert figures["mask"]["AP_small"] == pytest.approx(0.5)


@needs_api
def test_crowd_is_neither_missed_nor_false():
    crowd = annotation(2, 7, 5, [50, 0, 50, 100], iscrowd=1)
    mask = outline_to_mask(rectangle(50, 0, 50, 100), (100, 120))
    crowd["segmentation"] = encode_rle(mask, compressed=False)
    both = truth(annotation(1, 7, 5, [0, 0, 20, 20]), crowd)
    inside = [result(7, 5, [60, 5 * i, 9, 9], 0.99) for i in range(5)]
    assert evaluate_coco([result(7, 5, [0, 0, 20, 20]), *inside], both)["box"][
        "AP"
    ] == pytest.approx(1)


@needs_api
def test_objects_without_outline():
    """They count as boxes; as masks they are neither missed nor false."""
    both = truth(annotation(1, 7, 5, [0, 0, 20, 20]), annotation(2, 7, 5, [60, 60, 20, 20]))
    del both["annotations"][1]["segmentation"]
    results = [
        result(7, 5, box, segmentation=encode_rle(outline_to_mask(rectangle(*box), (100, 120))))
        for box in ([0, 0, 20, 20], [60, 60, 20, 20])
    ]
    for part in (results, results[:1]):
        figures = evaluate_coco(part, both)
        assert figures["mask"]["AP"] == pytest.approx(1)
        assert figures["box"]["AP"] == pytest.approx(1 if len(part) == 2 else 51 / 101)


@needs_api
def test_files_are_as_good_and_nothing_is_changed(tmp_path):
    plain = copy.deepcopy(TWO)
    for entry in plain["annotations"]:
        del entry["iscrowd"], entry["area"], entry["id"]
    before = copy.deepcopy((PERFECT, plain))
    figures = evaluate_coco(PERFECT, plain, kinds=["box"])
    assert (PERFECT, plain) == before
    (tmp_path / "results.json").write_text(json.dumps(PERFECT))
    (tmp_path / "truth.json").write_text(json.dumps(plain))
    again = evaluate_coco(tmp_path / "results.json", str(tmp_path / "truth.json"), kinds=["box"])
    assert repr(again) == repr(figures)  # NaN among them
    assert figures["box"]["AP"] == pytest.approx(1)


@needs_api
def test_nothing_found():
    for kind, figures in evaluate_coco([], TWO).items():
        assert kind in ("box", "mask")
        assert figures["AP"] == figures["AR100"] == 0
        assert figures["per_class"] == {"cat": 0, "dog": 0}


@needs_api
def test_some_pictures_alone():
    assert evaluate_coco(PERFECT[:1], TWO)["box"]["AP"] == pytest.approx(0.5)
    some = evaluate_coco(PERFECT[:1], TWO, image_ids=[7])["box"]
    assert some["AP"] == pytest.approx(1)
    assert math.isnan(some["per_class"]["dog"])


@needs_api
def test_prints_only_when_asked(capsys):
    evaluate_coco(PERFECT, TWO)
    assert capsys.readouterr() == ("", "")
    evaluate_coco(PERFECT, TWO, verbose=True)
    assert "Average Precision" in capsys.readouterr().out


@needs_api
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"results": [result(8, 5, [0, 0, 1, 1])]}, "image_id 8"),
        ({"results": [result(7, 6, [0, 0, 1, 1])]}, "category_id 6"),
        ({"results": [{"image_id": 7}]}, "has no 'category_id'"),
        ({"annotations": {"images": []}}, "at least one picture"),
        ({"annotations": []}, "at least one picture"),
        ({"annotations": TWO | {"annotations": [{"id": 1}]}}, r"annotations\[0\].*read_coco"),
        ({"kinds": ["segm"]}, "'box', 'mask'"),
        ({"kinds": ["mask"]}, "no 'segmentation'"),
        ({"image_ids": [7, 9]}, r"\[9\]"),
    ],
)
def test_bad_input(changes, words):
    with pytest.raises(ZooError, match=words):
        evaluate_coco(**{"results": PERFECT, "annotations": TWO, **changes})


@needs_api
def test_broken_file(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(ZooError, match=r"results\.json is not JSON"):
        evaluate_coco(tmp_path / "results.json", TWO)


def test_without_pycocotools(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(ZooError, match=r"pip install \"zoo\[coco\]\""):
        evaluate_coco(PERFECT, TWO)


@needs_api
def test_real_objects_are_found_perfectly(shared_data, tmp_path):
    """Ground truth as a detector's output -> picture's pixels -> file -> figures."""
    found = read_coco(shared_data / "coco_tiny", "validation")
    predictions = []
    for detection in found:
        arrays = to_arrays(detection, (256, 256))
        _, scale = resize_and_pad(np.zeros((*detection.size, 3), "uint8"), (256, 256))
        rows = {
            "boxes": arrays["boxes"],
            "scores": np.linspace(1, 0.9, 100),
            "labels": np.where(arrays["crowd"], -1, arrays["labels"]),
            "masks": arrays["masks"],
        }
        predictions.append((detection.image_id, to_original(rows, scale, detection.size)))
    file = tmp_path / "results.json"
    file.write_text(json.dumps(coco_results(predictions, found.category_ids)))
    annotations = shared_data / "coco_tiny" / "annotations" / "instances_val2017.json"
    figures = evaluate_coco(file, annotations)
    assert figures["box"]["AP"] == pytest.approx(1)
    assert figures["box"]["per_class"] == pytest.approx(dict.fromkeys(found.labels, 1))
    # Polygons are made to pixels by rules that differ by a few where objects are tiny.
    assert figures["mask"]["AP"] > 0.995
    assert figures["mask"]["AP75"] == pytest.approx(1)
    assert figures["mask"]["AP_large"] == pytest.approx(1)
    # Against masks made by the same rule nothing is missing.
    made = coco_annotations(found)
    sizes = {image["id"]: (image["height"], image["width"]) for image in made["images"]}
    for entry in made["annotations"]:
        mask = outline_to_mask(entry["segmentation"], sizes[entry["image_id"]])
        entry["segmentation"] = encode_rle(mask)
    exact = [
        {key: entry[key] for key in ("image_id", "category_id", "bbox", "segmentation")}
        | {"score": 1.0}
        for entry in made["annotations"]
        if not entry["iscrowd"]
    ]
    assert evaluate_coco(exact, made)["mask"]["AP"] == pytest.approx(1)
