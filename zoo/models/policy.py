"""The dtype policy that models are built under."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Within it, layers are made with a dtype policy, whatever the program has set.

    Args:
        name: str, of the policy, e.g. "float32".
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
