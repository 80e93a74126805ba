"""Mask R-CNN on a feature pyramid of any backbone of the zoo.

He et al., "Mask R-CNN", with the pyramid of Lin et al., "Feature Pyramid Networks for Object
Detection". Hu, "Revisiting Exploding Gradient", section 5 and table 2, trains it on SeqNets and
compares with residual nets under frozen batch normalization and group normalization, whose
figures are those of Wu and He, "Group Normalization", section 4.2.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops

from zoo import checks
from zoo.detection.anchors import make_anchors
from zoo.detection.cost import multiply_adds_of_parts
from zoo.detection.fpn import STRIDES, feature_pyramid, levels_of
from zoo.detection.head_factory import HeadFactory
from zoo.detection.heads import (
    BOX_SIZE,
    MASK_READ_SIZE,
    MASK_SIZE,
    box_head,
    mask_head,
    rpn_head,
)
from zoo.detection.input_checks import image_size, split_inputs
from zoo.detection.losses import box_losses, mask_loss, rpn_losses, select
from zoo.detection.proposals import detect, masks_in_parts, propose
from zoo.detection.roi_align import pyramid_roi_align
from zoo.detection.targets import Rois, anchor_targets, crop_masks, sample_rois
from zoo.errors import ZooError
from zoo.models.freeze import freeze as freeze_layers
from zoo.models.options import Option, Range, Strength, Units, Width, parse_options, read_options
from zoo.types import Tensor

RATIOS = (0.5, 1.0, 2.0)
# Share of the sampled regions that may be positive: the rows that the mask head is trained on.
POSITIVE = 0.25
# How the regions are read from the pyramid, by backend: form, and bins of an image at a time. All
# those of 1000 proposals would take 0.8 GB at 256 channels, 4000 take 64 MB. JAX is faster in parts
# and fastest by sums, which are slow where there is a gradient. TensorFlow is no faster in parts,
# but needs less memory; in training, where fewer regions are read, it is slower so
# (`benchmarks/roi_align.py`).
ROI_READING = {"jax": ("sum", None), "tensorflow": ("gather", 4000)}
ROI_READING_IN_TRAINING = {"jax": ("gather", 4000)}
TARGETS = ("boxes", "labels", "crowd", "masks")
LOSSES = ("rpn_score_loss", "rpn_box_loss", "class_loss", "box_loss", "mask_loss")


@keras.saving.register_keras_serializable("zoo")
class MaskRCNN(keras.Model):
    """Detects objects: their boxes, classes and masks.

    A backbone's levels become a pyramid; a region proposal network names the boxes that may hold
    an object; ROIAlign reads each from the pyramid; one head gives its class and a better box,
    another its mask. Every part but the backbone starts from small random weights.

    What the model takes decides what it returns, so that `fit(examples)`, `evaluate(examples)`
    and `predict(images)` are the ordinary ones:

    * of examples the losses by name, scalars, whose sum `fit` lowers;
    * of images alone the detections.

    The paper's tables compare `head_norm="group"` on a backbone with group normalization with
    `head_norm="none"` on one of frozen batch normalization; it does not say which of the two its
    SeqNets had. The published schedules take batches of 16 images of about 800 x 1333 pixels.

    Args:
        backbone: functional `keras.Model` of images (H, W, C), H and W multiples of 64, that
            gives a dict of levels "P2" (stride 4) and coarser, as `zoo.create(…, features=True)`.
        num_classes: int, K, the background not counted; COCO's 80.
        masks: bool, False for boxes alone, a Faster R-CNN.
        fpn_filters: int, of the pyramid and the heads' convolutions.
        head_units: int, of the box head's dense layers.
        head_norm: str, of the pyramid and the heads: "none", or "group" for group normalization
            and a box head of 4 convolutions and 1 dense layer in place of 2 dense ones.
        freeze: str, "batch_norm" for a backbone whose BatchNormalization layers keep their
            statistics and parameters, as usual here, where batches are small; None to leave it as
            it is.
        weight_decay: float, coefficient of L2 weight decay, of all kernels behind the backbone.
        anchor_scale: float, side of a level's square anchor in strides; 8 gives 32 to 512 pixels.
        pre_nms: int, proposals of a level before overlaps are removed, half as many where objects
            are detected.
        proposals: int, of all levels, behind that.
        rpn_samples: int, anchors of an image that the proposal network learns from.
        roi_samples: int, regions of an image that the heads learn from.
        score_threshold: float, least probability of a detection.
        nms_threshold: float, largest overlap (IoU) of two detections of one class.
        detections: int, most objects of an image.
        seed: int, of the random samples; None for a random one.
        dtype: policy of the layers behind the backbone; boxes and losses are float32 under any.
        name: str, of the model.

    Call arguments:
        inputs: tensor of images (B, H, W, C), float, preprocessed; or dict of it as "image" and of
            the objects in G slots: "boxes" (B, G, 4), x1, y1, x2, y2 in pixels of the image;
            "labels" (B, G), int, from 0, -1 in empty slots; "crowd" (B, G), whether the box is of
            a crowd, which is no object but no background either; "masks" (B, G, M, M) of 0 and 1,
            each stretched to its box, not needed with `masks=False`.
        training: bool, as for any `keras.Model`.

    Input shape:
        (B, H, W, C), or a dict of shapes.

    Output shape:
        Dict of shapes: scalars, or those of detections.

    Returns:
        Dict of scalars "rpn_score_loss", "rpn_box_loss", "class_loss", "box_loss", "mask_loss";
        or of "boxes" (B, D, 4), "scores" (B, D), "labels" (B, D), int32, the most certain first
        and -1 behind the last, and "masks" (B, D, 28, 28), probabilities stretched to the box.

    Raises:
        ZooError: the backbone or an argument does not fit; in a call, an input does not.

    References:
        - He et al., "Mask R-CNN", section 3; the numbers are those of its section 3.1 with the
          pyramid.
        - Lin et al., "Feature Pyramid Networks for Object Detection", section 5.

    Example:

    >>> body = zoo.create("plainnet20", features=True, input_shape=(64, 64, 3), width=4)
    >>> model = zoo.detection.MaskRCNN(body, num_classes=5, fpn_filters=8, head_units=16)
    >>> model.compile(keras.optimizers.SGD(0.02, momentum=0.9))  # then model.fit(examples)
    >>> model.input_shape, model.options["num_classes"]
    ((None, 64, 64, 3), 5)
    """

    task = "detection"

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: Annotated[int, Range(1, 1_000_000)] = 80,
        *,
        masks: bool = True,
        fpn_filters: Width = 256,
        head_units: Units = 1024,
        head_norm: Literal["none", "group"] = "none",
        freeze: Literal["batch_norm", None] = "batch_norm",
        weight_decay: Strength = 1e-4,
        anchor_scale: Annotated[float, Range(0.1, 100)] = 8.0,
        pre_nms: Annotated[int, Range(2, 10_000)] = 2000,
        proposals: Annotated[int, Range(1, 10_000)] = 1000,
        rpn_samples: Annotated[int, Range(2, 10_000)] = 256,
        roi_samples: Annotated[int, Range(4, 10_000)] = 512,
        score_threshold: Annotated[float, Range(0, 1)] = 0.05,
        nms_threshold: Annotated[float, Range(0, 1)] = 0.5,
        detections: Annotated[int, Range(1, 1000)] = 100,
        seed: int | None = None,
        dtype: Any = None,
        name: str = "mask_rcnn",
    ):
        options: dict[str, Any] = {
            "num_classes": num_classes,
            "masks": masks,
            "fpn_filters": fpn_filters,
            "head_units": head_units,
            "head_norm": head_norm,
            "freeze": freeze,
            "weight_decay": weight_decay,
            "anchor_scale": anchor_scale,
            "pre_nms": pre_nms,
            "proposals": proposals,
            "rpn_samples": rpn_samples,
            "roi_samples": roi_samples,
            "score_threshold": score_threshold,
            "nms_threshold": nms_threshold,
            "detections": detections,
        }
        options = parse_options(name, own_options(), options)
        # Boxes are not to be rounded to a lower precision: the layers cast what they take.
        super().__init__(name=name, dtype=dtype, autocast=False)
        self.options = options
        self.seed = checks.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.image_size = image_size(name, backbone)
        sizes = [options["anchor_scale"] * stride for stride in STRIDES]
        self.anchors = make_anchors(self.image_size, STRIDES, sizes, RATIOS)

        factory = HeadFactory(options["head_norm"], options["weight_decay"], self.dtype_policy)
        filters, classes = options["fpn_filters"], options["num_classes"]
        self.backbone = freeze_layers(backbone, options["freeze"])
        self.fpn = feature_pyramid(backbone, self.image_size, filters=filters, factory=factory)
        self.rpn = rpn_head(filters, len(RATIOS), factory)
        self.box_head = box_head(filters, classes, options["head_units"], factory)
        self.mask_head: Any = mask_head(filters, classes, factory) if options["masks"] else None
        self.target_keys = TARGETS if options["masks"] else TARGETS[:-1]
        losses = LOSSES if options["masks"] else LOSSES[:-1]
        self.loss_means = [keras.metrics.Mean(loss) for loss in losses]
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Tensor]:
        image, targets = split_inputs(self.name, inputs, self.input_shape[1:], self.target_keys)
        maps = self.pyramid(self.backbone(ops.cast(image, "float32"), training=training))
        logits, deltas = self.score_anchors(maps)
        boxes, valid = self.propose(logits, deltas, training=bool(targets))
        if not targets:
            return self._detect(maps, boxes, valid)
        return {
            **self._rpn_losses(logits, deltas, targets),
            **self._head_losses(maps, boxes, valid, targets),
        }

    def pyramid(self, levels: Mapping[str, Tensor]) -> list[Tensor]:
        """The maps P2 to P6 of the backbone's levels."""
        return self.fpn({name: levels[name] for name in levels_of(self.backbone)})

    def score_anchors(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Logits (B, n) and deltas (B, n, 4) of the n anchors of each level."""
        scored = [self.rpn(x) for x in maps]
        numbers = [len(anchors) for anchors in self.anchors]
        logits = [ops.reshape(x, (-1, n)) for (x, _), n in zip(scored, numbers, strict=True)]
        deltas = [ops.reshape(x, (-1, n, 4)) for (_, x), n in zip(scored, numbers, strict=True)]
        return logits, deltas

    def propose(
        self, logits: Sequence[Tensor], deltas: Sequence[Tensor], training: bool
    ) -> tuple[Tensor, Tensor]:
        """Boxes (B, R, 4) that may hold an object, and which of the R there are (B, R)."""
        return propose(
            logits,
            deltas,
            self.anchors,
            self.image_size,
            per_level=self.options["pre_nms"] if training else self.options["pre_nms"] // 2,
            total=self.options["proposals"],
        )

    def _score_boxes(
        self, maps: Sequence[Tensor], boxes: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, R, K + 1) and deltas (B, R, 4 * K) of R boxes."""
        logits, deltas = self.box_head(self._regions(maps, boxes, BOX_SIZE, training))
        count = boxes.shape[1]
        logits, deltas = (ops.reshape(x, (-1, count, x.shape[-1])) for x in (logits, deltas))
        return logits, deltas

    def _predict_masks(
        self, maps: Sequence[Tensor], boxes: Tensor, labels: Tensor, training: bool
    ) -> Tensor:
        """Logits (B, R, 28, 28) of the masks of R boxes of known classes."""
        logits = self.mask_head(self._regions(maps, boxes, MASK_READ_SIZE, training))
        return select(ops.reshape(logits, (-1, boxes.shape[1], *logits.shape[1:])), labels)

    def _regions(self, maps: Sequence[Tensor], boxes: Tensor, size: int, training: bool) -> Tensor:
        """What the pyramid shows in boxes (B, R, 4), as (B * R, size, size, C). P6 is for
        proposals alone."""
        reading = ROI_READING_IN_TRAINING if training else ROI_READING
        form, bins = reading.get(keras.backend.backend(), ("gather", None))
        at_once = bins // size**2 if bins else None
        regions = pyramid_roi_align(
            maps[:-1], boxes, STRIDES[:-1], size, form=form, at_once=at_once
        )
        return ops.reshape(regions, (-1, *regions.shape[2:]))

    def _rpn_losses(
        self, logits: Sequence[Tensor], deltas: Sequence[Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        labels, weights, wanted = anchor_targets(
            np.concatenate(self.anchors), targets, self.options["rpn_samples"], self.seed_generator
        )
        logits, deltas = ops.concatenate(logits, axis=1), ops.concatenate(deltas, axis=1)
        return rpn_losses(logits, deltas, labels, weights, wanted)

    def _head_losses(
        self,
        maps: Sequence[Tensor],
        boxes: Tensor,
        valid: Tensor,
        targets: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        samples = self.options["roi_samples"]
        rois = sample_rois(boxes, valid, targets, samples, POSITIVE, self.seed_generator)
        logits, deltas = self._score_boxes(maps, rois.boxes, training=True)
        losses = box_losses(logits, deltas, rois)
        if self.mask_head is not None:
            first = Rois(*(x[:, : self.mask_samples] for x in rois))
            wanted = crop_masks(
                targets["masks"], first.matched, first.boxes, first.gt_boxes, MASK_SIZE
            )
            logits = self._predict_masks(maps, first.boxes, first.labels, training=True)
            losses |= mask_loss(logits, wanted, first.labels)
        return losses

    def _detect(self, maps: Sequence[Tensor], boxes: Tensor, valid: Tensor) -> dict[str, Tensor]:
        logits, deltas = self._score_boxes(maps, boxes, training=False)
        boxes, scores, labels = detect(
            logits,
            deltas,
            boxes,
            valid,
            self.image_size,
            score_threshold=self.options["score_threshold"],
            nms_threshold=self.options["nms_threshold"],
            count=self.options["detections"],
        )
        detections = {"boxes": boxes, "scores": scores, "labels": labels}
        if self.mask_head is not None:

            def predict_masks(boxes: Tensor, labels: Tensor) -> Tensor:
                logits = self._predict_masks(maps, boxes, labels, training=False)
                return ops.sigmoid(ops.cast(logits, "float32"))

            detections["masks"] = masks_in_parts(predict_masks, boxes, labels, MASK_SIZE)
        return detections

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        if not set(LOSSES[:-1]) <= set(y_pred):
            raise ZooError(f"{self.name}: fit and evaluate take dicts of images and {TARGETS}.")
        for mean in self.loss_means:
            mean.update_state(y_pred[mean.name], sample_weight=ops.shape(x["image"])[0])
        # Not by `add_loss`: replicas that wait for each other, as synchronized batch norms do,
        # would find each other's losses in the one list.
        losses = [*y_pred.values(), *self.losses]
        return sum(self._aggregate_additional_loss(loss) for loss in losses)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(None, H, W, C) of the images."""
        return self.backbone.input_shape

    @property
    def mask_samples(self) -> int:
        """Regions of an image that the mask head learns from."""
        return int(self.options["roi_samples"] * POSITIVE)

    def multiply_adds_of_parts(self, training: bool = False) -> dict[str, int]:
        """What one image costs, see `zoo.detection.cost.multiply_adds_of_parts`."""
        return multiply_adds_of_parts(self, training)

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        *,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.export`: images -> detections.

        Args:
            filepath: path of what is written.
            format: str, one of Keras's formats; TensorFlow's own is tested.
            input_signature: what the exported program takes; None for images of any number.
            **kwargs: further arguments of `keras.Model.export`.

        Raises:
            ZooError: on JAX, without `input_signature`.
        """
        if input_signature is None:  # which Keras knows of models alone that it has built itself
            if keras.backend.backend() == "jax":
                raise ZooError(
                    f"{self.name}: JAX cannot export a detector for batches of any size. Load it "
                    "with KERAS_BACKEND=tensorflow and export it there."
                )
            input_signature = [keras.InputSpec(shape=self.input_shape, dtype="float32")]
        super().export(filepath, format, input_signature=input_signature, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "seed": self.seed,
            **self.options,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "MaskRCNN":
        deserialize = keras.saving.deserialize_keras_object
        parts = {name: deserialize(config[name]) for name in ("backbone", "dtype")}
        return cls(**{**config, **parts})


def own_options() -> dict[str, Option]:
    """What a user may choose of a detector, beside its backbone."""
    return read_options(MaskRCNN.__init__, ("self", "backbone", "seed", "dtype", "name"))
