"""Reading pictures: files, PIL images and arrays become (H, W, 1 or 3) on the scale 0..255."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["read_image"]


def read_image(source: Any) -> np.ndarray:
    """Reads a picture as it is meant to be seen, in 8 bits.

    The orientation that the camera noted (EXIF) is applied, transparency is laid over white,
    16-bit grey is scaled to 8 bits, and of an animation or a document the first picture is taken.
    Everything else than grey becomes RGB.

    Args:
        source: path of an image file; PIL image; or array or tensor (H, W), (H, W, 1), (H, W, 3)
            or (H, W, 4) (RGBA), uint8 or float on the scale 0..255. The scale of an array is
            never guessed: one in 0..1 is an almost black picture.

    Returns:
        uint8 array (H, W, 1) for grey, (H, W, 3) for RGB.

    Raises:
        ImageError: the source is not a readable image; the message names it and what to do.

    Example:

    >>> from PIL import Image
    >>> zoo.images.read_image(Image.new("LA", (4, 2))).tolist()  # all transparent: white
    [[[255], [255], [255], [255]], [[255], [255], [255], [255]]]
    """
    pixels = read_pixels(source)
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels).astype("uint8")


def read_pixels(source: Any, name: str = "the image") -> np.ndarray:
    """`read_image`, but float arrays stay float32. `name` says in errors which image it is."""
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(source))
    if is_pil(source):
        return _decode(source, getattr(source, "filename", "") or name)
    array = as_array(source)
    if array is None:
        raise ImageError(
            f"{name} must be a path, a PIL image or an array. "
            f"Received: {type(source).__name__}. An open file: give PIL.Image.open(file)."
        )
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ImageError(_wrong_shape(array.shape, name))
    return check_pixels(array, name)


def is_pil(source: Any) -> bool:
    """Whether `source` is a PIL image."""
    from PIL import Image

    return isinstance(source, Image.Image)


def as_array(source: Any) -> np.ndarray | None:
    """`source` as NumPy array if it is an array or tensor, else None."""
    import keras

    if isinstance(source, str | os.PathLike):  # NumPy's strings are arrays, too
        return None
    if isinstance(source, np.ndarray):
        return source
    if keras.ops.is_tensor(source):
        return keras.ops.convert_to_numpy(source)
    return np.asarray(source) if hasattr(source, "__array__") else None


def check_pixels(array: np.ndarray, name: str) -> np.ndarray:
    """(…, H, W, 1, 3 or 4) of 0..255 -> (…, H, W, 1 or 3), uint8 or float32."""
    if array.shape[-1] not in (1, 3, 4) or 0 in array.shape[-3:]:
        raise ImageError(_wrong_shape(array.shape, name))
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        low, high = (array.min(), array.max()) if array.size else (0, 0)
        if not (low >= 0 and high <= 255):  # also where they are NaN
            raise ImageError(
                f"{name} must hold values from 0 to 255, not normalized ones. "
                f"Received: values from {float(low):g} to {float(high):g}."
            )
        array = array.astype("float32", copy=False)
    elif array.dtype != np.uint8:
        raise ImageError(
            f"{name} must be uint8 or float with values from 0 to 255. Received: {array.dtype}. "
            'For whole numbers in that range use array.astype("uint8").'
        )
    return _over_white(array) if array.shape[-1] == 4 else array


def _wrong_shape(shape: tuple[int, ...], name: str) -> str:
    return (
        f"{name} must be of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), channels last, "
        f"no side empty. Received: {shape}. A batch is a list of such, or (N, H, W, C)."
    )


def _read_file(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        if path.is_dir():
            raise ImageError(f"{path} is a folder. Give the pictures in it.")
        if not path.exists():
            hint = "Download it first" if ":/" in str(path) else "Check the name"
            raise ImageError(f"There is no file {path}. {hint}.")
        if path.stat().st_size == 0:
            raise ImageError(f"{path} is empty. Get the picture anew.")
        with Image.open(path) as image:
            return _decode(image, str(path))
    except Image.UnidentifiedImageError:
        raise ImageError(
            f"{path} is not an image that Pillow knows. Convert it to PNG or JPEG."
        ) from None
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path} is too large. Scale it down, or, if you trust it, raise "
            f"PIL.Image.MAX_IMAGE_PIXELS. ({error})"
        ) from None
    except ImageError:
        raise
    except Exception as error:  # Pillow's readers raise of every kind on damaged headers
        raise ImageError(_damaged(path, error)) from error


def _decode(image: "Image.Image", name: str) -> np.ndarray:
    try:
        image.load()
        return check_pixels(_to_array(_upright(image), name), name)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise of every kind on damaged data
        raise ImageError(_damaged(name, error)) from error


def _damaged(name: object, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:  # of the system, not of a decoder
        return f"{name} cannot be read: {error.strerror}."
    return (
        f"{name} cannot be decoded ({type(error).__name__}: {error}). It may be cut off or "
        "damaged: get it anew, or convert it to PNG or JPEG."
    )


def _upright(image: "Image.Image") -> "Image.Image":
    # Not ImageOps.exif_transpose: that also writes the EXIF data anew, which odd tags can break.
    from PIL import Image

    transpose = Image.Transpose
    turns = {
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_270,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_90,
    }
    turn = None
    with contextlib.suppress(Exception):  # broken EXIF data is no reason to refuse the picture
        turn = turns.get(image.getexif().get(0x0112))
    return image if turn is None else image.transpose(turn)


def _to_array(image: "Image.Image", name: str) -> np.ndarray:
    """(H, W, 1 or 3) uint8; float32 for PIL's mode F."""
    if image.mode.startswith("I"):  # 16 bits; older Pillows open such files as 32 bits
        array = np.asarray(image)
        if array.min() < 0 or array.max() > 65535:
            raise ImageError(
                f"{name} holds grey values from {array.min()} to {array.max()}; at most 16 bits, "
                "0 to 65535, can be read. Scale it to 8 bits."
            )
        return ((array.astype("uint32") + 128) // 257).astype("uint8")[:, :, None]
    if image.mode == "F":
        return np.array(image)[:, :, None]
    if image.has_transparency_data:
        grey = image.mode in ("L", "LA", "La")
        return _over_white(np.asarray(image.convert("LA" if grey else "RGBA")))
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"))[:, :, None]
    return np.array(image.convert("RGB"))


def _over_white(pixels: np.ndarray) -> np.ndarray:
    """The last channel is the opacity, 0..255."""
    colour, opacity = pixels[..., :-1], pixels[..., -1:] / np.float32(255)
    result = colour * opacity + 255 * (1 - opacity)
    return np.rint(result).astype("uint8") if pixels.dtype == np.uint8 else result
