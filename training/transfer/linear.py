"""A frozen net judged by its pooled features: a linear classifier, and nearest neighbours."""

import itertools
from collections.abc import Iterable

import keras
import numpy as np

import zoo
from training.data import Images
from training.data.pipeline import pictures

STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # of the classifier's data against its penalty
CHOSEN_ON = 10_000  # images
NEIGHBOURS = 20
TEMPERATURE = 0.07


def features(model: keras.Model, images: Images, batch_size: int = 128) -> np.ndarray:
    """Pooled features of all images, (N, features) float32.

    Args:
        model: with a card, its classifier left out (`zoo.load(NAME, num_classes=0)`).
        images: of any size.
        batch_size: images per step.
    """
    parts = []
    for start in range(0, len(images.y), batch_size):
        index = np.arange(start, min(start + batch_size, len(images.y)))
        # Filled up, so that every step has one shape and compiles once.
        filled = np.pad(index, (0, batch_size - len(index)), mode="edge")
        inputs = zoo.preprocess(model.zoo_card.preprocess, pictures(images.x, filled))
        parts.append(np.asarray(model.predict_on_batch(inputs))[: len(index)])
    return np.concatenate(parts)


def linear_probe(train: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Labels that a multinomial logistic regression gives, (N,) integers.

    Features are standardized by the training set. The penalty is chosen by cross-validation on
    at most 10,000 images of it, in five folds, or fewer where a class has fewer images; it is
    `STRENGTHS[1]` where a class has one.

    Args:
        train: (M, features).
        y: (M,) labels of `train`.
        test: (N, features).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def classifier(strength: float):
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200))

    some = np.random.default_rng(0).permutation(len(y))[:CHOSEN_ON]
    folds = min(5, np.unique(y[some], return_counts=True)[1].min())
    best = STRENGTHS[1]
    if folds > 1:
        split = StratifiedKFold(folds, shuffle=True, random_state=0)

        def accuracy(strength: float) -> float:
            return cross_val_score(classifier(strength), train[some], y[some], cv=split).mean()

        best = max(STRENGTHS, key=accuracy)
    return classifier(best).fit(train, y).predict(test)


def nearest_neighbours(train: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Labels by the vote of the 20 nearest images, (N,) integers.

    A neighbour of cosine similarity s weighs exp(s / 0.07) (Wu et al., "Unsupervised Feature
    Learning via Non-Parametric Instance Discrimination", section 3.4).

    Args:
        train: (M, features).
        y: (M,) labels of `train`.
        test: (N, features).
    """
    train, test = _unit(train), _unit(test)
    k, classes = min(NEIGHBOURS, len(y)), int(y.max()) + 1
    answers: Iterable[np.ndarray] = (
        _vote(part @ train.T, y, k, classes) for part in np.array_split(test, -(-len(test) // 500))
    )
    return np.fromiter(itertools.chain.from_iterable(answers), "int64", len(test))


def _vote(similarity: np.ndarray, y: np.ndarray, k: int, classes: int) -> np.ndarray:
    nearest = np.argpartition(similarity, -k, axis=1)[:, -k:]
    weights = np.exp((np.take_along_axis(similarity, nearest, axis=1) - 1) / TEMPERATURE)
    votes = np.zeros((len(similarity), classes))
    np.add.at(votes, (np.arange(len(votes))[:, None], y[nearest]), weights)
    return votes.argmax(axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
