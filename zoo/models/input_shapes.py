"""What families refuse of an input shape."""

from typing import Literal

from zoo.errors import ZooError


def check_full_shape(name: str, input_shape: tuple[int | None, ...]) -> None:
    """Refuses an open size: dense layers need to know it."""
    if None in input_shape:
        raise ZooError(f"{name}: input_shape must be given in full. Received: {input_shape}")


def check_image(name: str, input_shape: tuple[int | None, ...], least: int) -> None:
    """Refuses a shape that is no image of at least `least` pixels a side; None is any size."""
    if len(input_shape) != 3 or any(n is not None and n < least for n in input_shape[:2]):
        raise ZooError(
            f"{name}: input_shape must be (H, W, C) with H and W at least {least}. "
            f"Received: input_shape={input_shape}"
        )


Stem = Literal["imagenet", "cifar", "tiny_imagenet"]
# Kernel size and stride of the first convolution, and the least side of an image, by stem. Only
# "imagenet" has a max pooling 3x3/2 behind it.
STEMS = {"imagenet": (7, 2, 32), "cifar": (3, 1, 8), "tiny_imagenet": (3, 2, 16)}


def check_stem(name: str, stem: str, input_shape: tuple[int | None, ...]) -> None:
    """Refuses an unknown stem and an image that is too small for it."""
    if stem not in STEMS:
        raise ZooError(
            f"{name}: stem must be one of {', '.join(map(repr, STEMS))}. Received: stem={stem!r}"
        )
    check_image(name, input_shape, least=STEMS[stem][2])
