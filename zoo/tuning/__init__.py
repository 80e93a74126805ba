"""Fine-tuning on a folder of photos: from one sub-folder per class to a checkpoint folder.

`tune.py` reads top-down: settings -> listing -> pictures -> split -> linear probe -> loop ->
report.
"""

from zoo.tuning.report import Tuned
from zoo.tuning.tune import finetune

__all__ = ["Tuned", "finetune"]
