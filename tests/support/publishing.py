"""What children of the tests of publishing call; a child's client talks to one Hub."""

from typing import Any

from zoo.errors import ZooError


def publish(*calls: tuple[Any, str, dict[str, Any]]) -> list[Any]:
    """What `zoo.publish(model, to, **options)` returns or raises, for each of the calls."""
    import zoo

    results = []
    for model, to, options in calls:
        try:
            results.append(zoo.publish(model, to, **options))
        except ZooError as error:
            results.append(error)
    return results


def fine_tune(name: str, to: str, options: dict[str, Any]) -> Any:
    """Publishes a loaded model with a new head after one step of training; its predictions."""
    import numpy as np

    import zoo
    from tests.support.checkpoints import images, predict

    model = zoo.load(name, num_classes=2)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(images(model), np.array([0, 1, 1, 0]), verbose=0)
    training = zoo.checkpoint.Training(data="coins", epochs=1)
    return zoo.publish(model, to, training=training, **options), predict(model)
