"""What the probes of `SignalMonitor` cost."""

import math


class ProbeCosts:
    """Seconds of probes and of training steps, and what follows from them.

    The first probe of a process, which compiles, does not count.
    """

    def __init__(self) -> None:
        self.compiled = False
        self.probes = self.steps = 0
        self.of_probes = self.of_steps = 0.0
        self._reported = 0

    def probed(self, seconds: float) -> None:
        """Counts one probe."""
        if self.compiled:
            self.of_probes, self.probes = self.of_probes + seconds, self.probes + 1
        self.compiled = True

    def trained(self, seconds: float, steps: int) -> None:
        """Counts training steps."""
        self.of_steps, self.steps = self.of_steps + seconds, self.steps + steps

    def share(self, every: int) -> float:
        """Of the time of `every` steps that one probe takes; 0 while it is not known."""
        if not self.probes or not self.of_steps:
            return 0.0
        return self.of_probes / self.probes / (self.of_steps / self.steps * every)

    def stretch(self, every: int, budget: float | None) -> int:
        """By which integer `every` is to be multiplied."""
        return max(1, math.ceil(round(self.share(every) / budget, 6))) if budget else 1

    def news(self, every: int, period: int, budget: float | None) -> str:
        """The cost once it is known, and once that the period is stretched; else nothing."""
        share = self.share(every)
        stage = (share > 0) + (period > every)
        if stage <= self._reported:
            return ""
        self._reported = stage
        seconds = self.of_probes / self.probes
        text = f"a probe takes {seconds:.3g} s, {share:.2%} of the time of {every} training steps"
        if period > every:
            text += f"; to stay below {budget:.2%}, probes come every {period} steps from now on"
        return text
