"""Non-maximum suppression."""

from keras import ops

from zoo.detection.boxes import pairwise_iou
from zoo.types import Tensor


def non_max_suppression(
    boxes: Tensor, scores: Tensor, threshold: float, groups: Tensor | None = None
) -> Tensor:
    """Which boxes greedy suppression keeps: each that overlaps no kept box before it too much.

        keep_i = valid_i and not any_j (keep_j and j before i and iou_ij > threshold)

    "Before" is by falling score, equal scores by index. The equation is iterated on the matrix of
    all pairs until nothing changes. As a box depends on those before it only, the first t boxes
    are right after t steps: there is one solution, that of the greedy loop. The steps needed are
    as many as the longest chain in which each box decides about the next, mostly a few.

    Takes K² numbers for each leading index. Gradients are stopped.

    Args:
        boxes: tensor (…, K, 4).
        scores: tensor (…, K); -inf marks padding, which is neither kept nor suppresses.
        threshold: float, the largest intersection over union of two kept boxes.
        groups: tensor (…, K), int, or None. Boxes of different groups, as classes, never meet.

    Returns:
        Tensor (…, K), bool: which are kept.

    References:
        - Zheng et al., "Enhancing Geometric Factors in Model Learning and Inference for Object
          Detection and Instance Segmentation" (Cluster-NMS).

    Example:

    >>> boxes = [[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 3.0], [8.0, 8.0, 9.0, 9.0]]
    >>> np.array(non_max_suppression(boxes, [0.5, 0.9, 0.1], 0.5)).tolist()
    [False, True, True]
    """
    boxes, scores = (ops.stop_gradient(ops.convert_to_tensor(x)) for x in (boxes, scores))
    valid = scores > -float("inf")
    index = ops.arange(scores.shape[-1])
    mine, other = scores[..., :, None], scores[..., None, :]
    before = (other > mine) | ((other == mine) & (index[None, :] < index[:, None]))
    suppressed_by = before & (pairwise_iou(boxes, boxes) > threshold)
    if groups is not None:
        groups = ops.convert_to_tensor(groups)
        suppressed_by = suppressed_by & (groups[..., :, None] == groups[..., None, :])

    def step(keep: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        new = valid & ~ops.any(suppressed_by & keep[..., None, :], axis=-1)
        return new, ops.any(new != keep)

    return ops.while_loop(lambda _, changed: changed, step, (valid, ops.any(valid)))[0]
