"""Several regularizers on one kernel."""

from collections.abc import Sequence

import keras


@keras.saving.register_keras_serializable("zoo")
class Total(keras.regularizers.Regularizer):
    """The sum of several regularizers, for a Keras variable takes one.

    Args:
        terms: regularizers, or their configurations.

    Call arguments:
        x: the kernel.

    Returns:
        Scalar, 0 without terms.

    Example:

    >>> zoo.regularizers.Total(
    ...     [keras.regularizers.L2(5e-5), zoo.regularizers.ScaledOrthogonalRegularizer(1e-4)]
    ... )
    """

    def __init__(self, terms: Sequence):
        self.terms = [keras.regularizers.get(term) for term in terms]

    def __call__(self, x):
        return sum(term(x) for term in self.terms)

    def get_config(self):
        return {"terms": [keras.regularizers.serialize(term) for term in self.terms]}
