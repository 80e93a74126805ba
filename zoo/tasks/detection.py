"""Detection: boxes, classes and masks of the objects in a photo."""

from typing import Any

import keras

from zoo.detection import prediction
from zoo.models.cost import multiply_adds
from zoo.tasks.labels import labels_or_numbers


class Detection:
    """The task "detection"; see `zoo.tasks.Task`."""

    name = "detection"
    metric = "box_AP"
    metric_in_words = "box AP"

    def predict(self, model: keras.Model, images: Any, **options: Any) -> Any:
        """As `zoo.detection.predict`."""
        return prediction.predict(model, images, **options)

    def labels(self, model: keras.Model) -> tuple[str, ...]:
        """The names of a detector's classes, "class 0", … where its card has none."""
        return labels_or_numbers(model, model.options["num_classes"])

    def multiply_adds(self, model: keras.Model) -> int:
        """Multiply-adds for one photo in which objects are detected."""
        return multiply_adds(model)


DETECTION = Detection()
