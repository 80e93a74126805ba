"""What long work says on stderr."""

import sys
import time

PAUSE = 30.0  # seconds between passing messages where there is no terminal


class Messages:
    """Lines that stay, and a passing one that is overwritten.

    Args:
        enabled: bool, False to say nothing.

    Example:

    >>> Messages(enabled=False).say("nobody reads this")
    """

    def __init__(self, enabled: bool = True):
        self.enabled, self._length, self._last = enabled, 0, time.monotonic()

    def say(self, text: str) -> None:
        """Prints a line.

        Args:
            text: str.
        """
        if self.enabled:
            self._clear()
            print(text, file=sys.stderr, flush=True)
            self._last = time.monotonic()

    def show(self, text: str) -> None:
        """Shows how far something is: on a terminal at once, elsewhere now and then.

        Args:
            text: str.
        """
        if not self.enabled:
            return
        if sys.stderr.isatty():
            self._clear()
            print(text, end="", file=sys.stderr, flush=True)
            self._length = len(text)
        elif time.monotonic() - self._last > PAUSE:
            self.say(text)

    def _clear(self) -> None:
        if self._length:
            print("\r" + " " * self._length + "\r", end="", file=sys.stderr)
            self._length = 0
