"""`zoo.finetune`: a checkpoint and a folder of photos become a checkpoint for these photos."""

import os
import re
from pathlib import Path

import keras

from zoo.catalog import find
from zoo.checkpoint.card import Card
from zoo.checkpoint.plan import plan
from zoo.errors import ZooError
from zoo.hub import index
from zoo.tuning import device, out_folder
from zoo.tuning.finish import finish
from zoo.tuning.listing import read_listing
from zoo.tuning.messages import Messages
from zoo.tuning.pictures import read_pictures
from zoo.tuning.report import Tuned
from zoo.tuning.settings import Settings
from zoo.tuning.split import stratified
from zoo.tuning.training import Data, load, train


def finetune(
    checkpoint: str | os.PathLike,
    folder: str | os.PathLike,
    out: str | os.PathLike | None = None,
    *,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 0.01,
    validation: float = 0.2,
    input_shape: tuple[int, ...] | None = None,
    freeze: str | None = None,
    flip: bool = True,
    dtype: str = "auto",
    seed: int = 0,
    verbose: bool = True,
) -> Tuned:
    """Fine-tunes a pretrained classifier on your own photos, one folder per class.

    First a linear classifier is fitted on the features of the checkpoint as it is (linear probe),
    then the whole net is trained from there, at a lower rate in the body than in the classifier,
    on pictures that are shifted and mirrored at random. Part of the pictures of each class
    validates; the weights of the epoch that is best on these are kept, and training ends early
    where they do not improve. Regularizers and constraints of the net stay in force.

    The state is saved after each epoch: the same call after a crash goes on from there, and ends
    with the weights of an unbroken one. Keras's, NumPy's and Python's global seeds are set.

    Args:
        checkpoint: str or path, of a classifier, as for `zoo.load`.
        folder: str or path, which holds one folder of pictures per class. What cannot be used is
            left out, and a message says so.
        out: str or path, new, of the checkpoint folder; None for "ARCHITECTURE.FOLDER" in the
            working folder. It also gets the confusion matrix (confusion.csv, .png), the history
            (curve.csv) and the prediction for each validation picture (validation.csv).
        epochs: int, at most; 0 for the linear probe alone. None for as many as show 40,000
            pictures, from 5 to 40.
        batch_size: int, pictures in a training step; all of them where there are fewer.
        learning_rate: float, highest rate of the classifier. The body moves at half of it.
        validation: float within (0, 1), share of each class that validates; at least one picture.
        input_shape: tuple (H, W, C), of the pixels that the net takes; None for the checkpoint's.
        freeze: str, "batch_norm" for BatchNormalization layers that keep their statistics bit for
            bit, "body" for the linear probe alone; None for everything trainable.
        flip: bool, False where left and right matter, as with letters.
        dtype: str, dtype policy of training, "float32", "mixed_bfloat16" or "mixed_float16";
            "auto" for bfloat16 on devices that multiply in it, else float32.
        seed: int, of the split, order and augmentation.
        verbose: bool, whether progress is told on stderr.

    Returns:
        zoo.tuning.Tuned: folder, accuracy, the linear probe's accuracy, confused classes.

    Raises:
        ZooError: an argument is out of range, the checkpoint is no classifier, fewer than two
            classes can be told apart, or `out` holds something else.
        UnknownNameError: no such checkpoint; names the nearest.

    Example:

    >>> tuned = zoo.finetune("seqnet18", "photos/")  # doctest: +SKIP
    >>> print(tuned)  # doctest: +SKIP
    seqnet18.photos: 91.5% of 200 validation pictures right (epoch 17 of 27; …)
    >>> zoo.predict(tuned.folder, "cat.jpg", top=1)  # doctest: +SKIP
    [('cat', 0.98)]
    """
    card = index.card(checkpoint)
    settings = Settings(
        *(os.fspath(checkpoint), epochs, batch_size, learning_rate, validation, input_shape),
        *(freeze, flip, dtype, seed),
    )
    _check(card)
    listing = read_listing(folder)
    planned = plan(  # refused before any work
        card,
        os.fspath(checkpoint),
        num_classes=len(listing.classes),
        activation=None,
        input_shape=settings.input_shape,
    )
    name = _name(card, listing.folder if out is None else Path(out))
    out = Path(name if out is None else out).expanduser()
    messages = Messages(verbose)
    place, result = out_folder.begin(out, settings.identity(card), listing)
    for note in listing.notes:
        messages.say(note)
    if result is not None:
        messages.say(f"{out} is finished: there is nothing left to do.")
        return Tuned.of(out, result)

    with out_folder.alone(place):
        keras.utils.set_random_seed(settings.seed)
        pictures = read_pictures(listing, planned.card.preprocess, place, messages.show)
        for note in pictures.notes:
            messages.say(note)
        data = Data(
            pictures, *stratified(pictures.y, pictures.digests, settings.validation, settings.seed)
        )
        model = load(checkpoint, settings, len(pictures.classes))
        messages.say(
            f"{len(pictures.classes)} classes, {len(data.train):,} pictures to learn from, "
            f"{len(data.valid):,} to validate with, of {pictures.x.shape[1]}x{pictures.x.shape[2]} "
            f"pixels; {device.describe()}, {model.dtype_policy.name}; in {out}"
        )
        progress = train(model, data, settings, place, messages)
        return finish(name, card, model.zoo_card, data, progress, settings, listing, out)


def _check(card: Card) -> None:
    """Refuses a checkpoint that classifies nothing."""
    if (task := find(card.architecture).task) != "classification":
        raise ZooError(
            f"{card.name} is for {task}, and zoo.finetune trains classifiers. docs/detection.md "
            "tells how detectors are trained."
        )
    if not card.head:
        raise ZooError(
            f"{card.name} has no head on its card, so it cannot get one of other classes. Choose "
            "another checkpoint."
        )


def _name(card: Card, path: Path) -> str:
    """The name of the new checkpoint, after a folder; none of the zoo's own."""
    tag = path.resolve().name.lower().removeprefix(f"{card.architecture}.")
    name = f"{card.architecture}.{re.sub('[^a-z0-9_-]+', '_', tag).strip('_')[:90] or 'tuned'}"
    return f"{name}_tuned" if name in index.list_weights() else name
