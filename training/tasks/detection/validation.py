"""The average precisions of a detector while it is trained, by one process or several."""

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from training.engines.engine import Engine
from training.tasks.detection.measure import headline, predictions
from training.tasks.detection.network import copy_of
from training.tasks.detection.recipe import DetectionRecipe
from zoo.detection.annotated import AnnotatedImage, AnnotatedImages
from zoo.detection.evaluation import coco_annotations, coco_results, evaluate_coco
from zoo.files import write_atomically

PATIENCE = 10  # times as long as it took itself, a process waits for the others


class Validation:
    """Every process looks at its share of the photos with a copy of the model on one device.

    What it finds goes through files of the run folder: an operation between the devices would give
    up where one process takes longer than the others. Those wait until the first process, which
    evaluates, has taken their files away.

    Args:
        recipe: whose `validate_every` and `validation` hold.
        run: the run folder.
        photos: to look at.
        engine: the processes.
        timeout: seconds that a process waits at least for the others.
    """

    def __init__(
        self,
        recipe: DetectionRecipe,
        run: Path,
        photos: AnnotatedImages,
        engine: Engine,
        timeout: float,
    ):
        self.recipe, self.run, self.photos = recipe, run, photos
        self.engine, self.timeout = engine, timeout
        self.copy: keras.Model | None = None

    def forget(self) -> None:
        """Removes what an interrupted training of this process has left."""
        for path in self.run.glob(f"validated-*-{self.engine.process}.json"):
            path.unlink()

    def __call__(self, model: keras.Model, done: int) -> dict[str, float]:
        """The figures after `done` rounds in the first process; {} in the others, and where no
        evaluation is due.

        Raises:
            RuntimeError: another process does not come.
        """
        every = self.recipe.validate_every
        if not every or done % every:
            return {}
        began, engine = time.monotonic(), self.engine
        mine = [self.photos[i] for i in range(engine.process, len(self.photos), engine.processes)]
        if engine.processes > 1:
            with _one_device():
                self.copy = copy_of(model, self.recipe, self.photos.labels, self.copy)
                results = self._look(self.copy, mine)
        else:
            results = self._look(model, mine)
        limit = time.monotonic() + self.timeout + PATIENCE * (time.monotonic() - began)
        if not engine.chief:
            own = self._file(done, engine.process)
            write_atomically(own, json.dumps(results).encode())
            self._wait(lambda: not own.exists(), limit, 0)
            return {}
        for process in range(1, engine.processes):
            path = self._file(done, process)
            self._wait(path.exists, limit, process)
            results += json.loads(path.read_bytes())
        figures = headline(evaluate_coco(results, coco_annotations(self.photos)))
        for process in range(1, engine.processes):
            self._file(done, process).unlink()
        print(f"  {self.recipe.validation}: {figures}", flush=True)
        return figures

    def _look(self, model: keras.Model, photos: Sequence[AnnotatedImage]) -> list[dict]:
        by_photo = predictions(model, photos, self.recipe.preprocess, self.recipe.batch_size)
        return coco_results(by_photo, self.photos.category_ids)

    def _file(self, done: int, process: int) -> Path:
        return self.run / f"validated-{done}-{process}.json"

    def _wait(self, over: Callable[[], bool], limit: float, process: int) -> None:
        while not over():
            if time.monotonic() > limit:
                # A word that `training.engines.sign_of_a_lost_process` knows.
                raise RuntimeError(f"process {process} is unavailable for a validation")
            time.sleep(0.1)


@contextlib.contextmanager
def _one_device():
    """Variables are made, and programs run, on one device of this process alone."""
    before = keras.distribution.distribution()
    if before is None:
        yield
        return
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
