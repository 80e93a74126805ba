"""Fine-tuning on a folder of photos: from one sub-folder per class to a checkpoint folder.

`finetune.py` reads top-down: settings -> listing -> pictures -> split -> linear probe -> loop ->
report.
"""

from zoo.tuning.finetune import finetune
from zoo.tuning.report import Tuned

__all__ = ["Tuned", "finetune"]
