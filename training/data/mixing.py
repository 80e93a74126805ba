"""Mixed training pictures with soft labels, made in the pipeline: the same on every backend."""

import numpy as np

from zoo.errors import ZooError


def check(mixup: float, cutmix: float) -> None:
    """Refuses what are no parameters of a Beta distribution.

    Raises:
        ZooError: a negative or infinite one.
    """
    for name, alpha in (("mixup", mixup), ("cutmix", cutmix)):
        if not 0 <= alpha < float("inf"):
            raise ZooError(f"{name} must be 0 (none) or a positive number. Received: {alpha}")


def mix(
    x: np.ndarray,
    partner: np.ndarray,
    y: np.ndarray,
    partner_y: np.ndarray,
    classes: int,
    shares: np.ndarray,
    draws: np.ndarray,
    *,
    mixup: bool,
    cutmix: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Each picture mixed with its partner, and the labels in the same shares.

    mixup: x = s x + (1 - s) x'. CutMix: a rectangle of x', of the picture's aspect and 1 - s of
    its area before it is clipped at the picture's borders, is put into x, centred anywhere; s
    becomes what is left of x. With both, each picture has one of them, at even odds.

    Args:
        x, partner: (N, H, W, C), of one dtype.
        y, partner_y: (N,) integer labels.
        classes: number of classes.
        shares: (N, 2) of [0, 1]: s of mixup and of CutMix, from their Beta distributions.
        draws: (N, 3) of [0, 1): the choice, and the rectangle's centre.
        mixup, cutmix: which of them there are.

    Returns:
        Pictures as `x`, and (N, classes) float32 whose rows sum to 1.

    References:
        Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond Empirical Risk Minimization. ICLR 2018.
        Yun et al.: CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
        Features. ICCV 2019, algorithm 1.
    """
    height, width = x.shape[1:3]
    blended = draws[:, 0] < 0.5 if mixup and cutmix else np.full(len(x), mixup)
    s = np.where(blended, shares[:, 0], shares[:, 1]).astype("float32")
    x = x.copy()
    share = s[blended, None, None, None]
    both = share * x[blended] + (1 - share) * partner[blended]
    x[blended] = np.rint(both) if x.dtype == np.uint8 else both
    for i in np.flatnonzero(~blended):
        side = np.sqrt(1 - s[i])
        top, bottom = _span(draws[i, 1], side, height)
        left, right = _span(draws[i, 2], side, width)
        x[i, top:bottom, left:right] = partner[i, top:bottom, left:right]
        s[i] = 1 - (bottom - top) * (right - left) / (height * width)
    soft = np.zeros((len(x), classes), "float32")
    rows = np.arange(len(x))
    soft[rows, y] = s
    soft[rows, partner_y] += 1 - s
    return x, soft


def _span(centre: float, side: float, length: int) -> tuple[int, int]:
    """Begin and end of a rectangle along one axis, clipped."""
    middle, half = centre * length, side * length / 2
    return max(0, round(middle - half)), min(length, round(middle + half))
