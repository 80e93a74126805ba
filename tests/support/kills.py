"""One toy training, killed (SIGKILL) again and again at random moments.

`python -m tests.support.kills RUN TIMES`. Every attempt is a fork of a process that has
imported everything and started nothing.
"""

import os
import random
import signal
import sys

import training.guard
import training.train
from tests.support import toy

EPOCHS = 30


def main(run: str, times: int) -> int:
    toy.install()
    rng = random.Random(0)
    killed = 0
    while True:
        seconds = rng.uniform(0, 0.4)
        child = os.fork()
        if child == 0:
            if killed < times:
                toy.kill_after(seconds)
            code = training.train.main(
                [
                    "toy",
                    f"epochs={EPOCHS}",
                    "--run",
                    run,
                    "--checkpoint-minutes",
                    "0",
                    "--data-dir",
                    "",
                ]
            )
            sys.stdout.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            killed += 1
        else:
            print(f"killed {killed} times, then ended with {os.waitstatus_to_exitcode(status)}")
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
