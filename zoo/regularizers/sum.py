"""Several regularizers on one kernel."""

from collections.abc import Sequence
from typing import Any

import keras

from zoo.types import Tensor


# Files of Keras models know the class as "Total".
@keras.saving.register_keras_serializable("zoo", name="Total")
class Sum(keras.regularizers.Regularizer):
    """The sum of several regularizers, for a Keras variable takes one.

    Args:
        terms: list of regularizers, their names or their configurations.

    Call arguments:
        x: the kernel.

    Returns:
        Scalar, 0 without terms.

    Raises:
        ValueError: for a term that Keras knows no regularizer by.

    Example:

    >>> regularizer = zoo.regularizers.Sum([keras.regularizers.L1(1.0), keras.regularizers.L2(0.5)])
    >>> float(regularizer(keras.ops.convert_to_tensor([[3.0, -1.0]])))  # 4 + 10 / 2
    9.0
    """

    def __init__(self, terms: Sequence[Any]) -> None:
        self.terms = [keras.regularizers.get(term) for term in terms]

    def __call__(self, x: Tensor) -> Tensor:
        return sum(term(x) for term in self.terms)

    def get_config(self) -> dict[str, Any]:
        return {"terms": [keras.regularizers.serialize(term) for term in self.terms]}
