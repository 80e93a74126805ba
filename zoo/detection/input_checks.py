"""What a detector takes, and the errors for anything else."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from zoo.detection.fpn import STRIDES, levels_of
from zoo.errors import ZooError


def image_size(name: str, backbone: keras.Model) -> tuple[int, int]:
    """(H, W) of a backbone's images.

    Args:
        name: str, of the detector, for errors.
        backbone: functional `keras.Model`.

    Returns:
        Tuple of int.

    Raises:
        ZooError: they are open or no multiples of 64, or the backbone has not the levels.

    Example:

    >>> body = zoo.create("plainnet20", features=True, input_shape=(64, 128, 3), width=4)
    >>> image_size("detector", body)
    (64, 128)
    """
    levels_of(backbone)
    _, height, width, _ = backbone.input_shape
    if any(side is None or side % STRIDES[-1] for side in (height, width)):
        raise ZooError(
            f"{name}: height and width of the image must be multiples of {STRIDES[-1]}. "
            f"Received: {height} x {width}"
        )
    return height, width


def split_inputs(
    name: str, inputs: Any, image_shape: Sequence[int | None], needed: Sequence[str]
) -> tuple[Any, dict[str, Any]]:
    """The image and the targets of an input; these are {} where there are none.

    Args:
        name: str, of the model, for errors.
        inputs: an image tensor (B, H, W, C), or a dict with "image", alone or with all `needed`.
        image_shape: sequence of int, (H, W, C).
        needed: sequence of str, keys of the targets.

    Returns:
        Tensor (B, H, W, C), and a dict of tensors.

    Raises:
        ZooError: other keys, or an image of another shape.

    Example:

    >>> image, targets = split_inputs("detector", np.zeros((1, 64, 64, 3)), (64, 64, 3), ["boxes"])
    >>> image.shape, targets
    ((1, 64, 64, 3), {})
    """
    targets = dict(inputs) if isinstance(inputs, Mapping) else {"image": inputs}
    if set(targets) != {"image"} and not {"image", *needed} <= set(targets):
        raise ZooError(
            f"{name} takes images, or a dict of 'image', {', '.join(map(repr, needed))}. "
            f"Received: a dict of {', '.join(map(repr, targets)) or 'nothing'}"
        )
    image = targets.pop("image")
    if tuple(image.shape[1:]) != tuple(image_shape):
        raise ZooError(
            f"{name} takes batches of images of shape {tuple(image_shape)}. "
            f"Received: an array of shape {tuple(image.shape)}"
        )
    slots = {key: targets[key].shape[1] for key in targets.keys() & set(needed)}
    if len(set(slots.values())) > 1:
        raise ZooError(f"{name}: targets must have as many slots each. Received: {slots}")
    return image, targets
