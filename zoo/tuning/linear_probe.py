"""A linear classifier on fixed features: softmax regression, which has one best answer."""

import numpy as np

from zoo.tuning.figures import softmax


def fit_softmax(
    features: np.ndarray, y: np.ndarray, classes: int, *, strength: float = 0.3, steps: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """The kernel W and bias b that minimize mean cross-entropy(x W + b) + λ/2 ||W||².

    The penalty is on features that are scaled to mean 0 and variance 1, λ = strength * D / N: so
    features of any net are treated alike, and the classifier of few examples stays tame. No
    random numbers, no rate: accelerated gradient descent with the step of the Lipschitz constant,
    restarted where the loss rises.

    Args:
        features: float array (N, D).
        y: int array (N,), classes.
        classes: int.
        strength: float, of the penalty.
        steps: int, at most.

    Returns:
        float32 arrays (D, classes) and (classes,), for the features as they are.

    References:
        - Beck & Teboulle, "A Fast Iterative Shrinkage-Thresholding Algorithm", 2009.
        - O'Donoghue & Candès, "Adaptive Restart for Accelerated Gradient Schemes", 2015.

    Example:

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> kernel, bias = fit_softmax(x, np.array([0, 0, 1, 1]), 2)
    >>> (x @ kernel + bias).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    count, width = features.shape
    mean, variance = features.mean(axis=0), features.var(axis=0)
    # A unit that hardly moves carries no more than noise: it is not blown up.
    deviation = np.sqrt(variance + 1e-4 * variance.mean() + 1e-12)
    x = ((features - mean) / deviation).astype("float32")
    penalty = strength * width / count
    target = np.eye(classes, dtype="float32")[y]
    step = 1 / (0.55 * _greatest_eigenvalue(x) + 0.5 + penalty)  # 0.5: of the bias
    kernel, bias = np.zeros((width, classes), "float32"), np.zeros(classes, "float32")
    ahead, momentum, before = (kernel, bias), 1.0, np.inf
    for _ in range(steps):
        probabilities = softmax(x @ ahead[0] + ahead[1])
        own = np.maximum((probabilities * target).sum(axis=1), 1e-30)
        loss = -np.log(own).mean() + penalty / 2 * float((ahead[0] ** 2).sum())
        error = ((probabilities - target) / count).astype("float32")
        gradients = (x.T @ error + penalty * ahead[0], error.sum(axis=0))
        new = tuple(p - step * g for p, g in zip(ahead, gradients, strict=True))
        if loss > before:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        pull = (momentum - 1) / following
        ahead = tuple(p + pull * (p - q) for p, q in zip(new, (kernel, bias), strict=True))
        (kernel, bias), momentum, before = new, following, loss
        if max(float(np.abs(g).max()) for g in gradients) < 1e-5:
            break
    kernel = kernel / deviation[:, None]
    return kernel.astype("float32"), (bias - mean @ kernel).astype("float32")


def _greatest_eigenvalue(x: np.ndarray) -> float:
    """Of x'x / N, by power iteration."""
    vector = np.ones(x.shape[1], "float32") + np.arange(x.shape[1], dtype="float32") % 2
    value = 0.0
    for _ in range(30):
        vector = vector / np.linalg.norm(vector)
        vector = x.T @ (x @ vector) / np.float32(len(x))
        value = float(np.linalg.norm(vector))
        if value == 0:
            break
    return value
