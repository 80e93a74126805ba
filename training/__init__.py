"""The training program of the zoo, run from a clone; see `training.train`."""

import os
import sys

from training import machine

# Before anything imports Keras, which reads this once.
if "keras" not in sys.modules:
    os.environ.setdefault("KERAS_BACKEND", machine.choose_backend())
# TensorFlow takes oneDNN's kernels by default on some processors only; on the others, too, they
# train convolutions up to three times as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
