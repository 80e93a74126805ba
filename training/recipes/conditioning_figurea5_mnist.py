"""What batch normalization and initialization do for 20 dense layers on MNIST.

Command:   python -m training.train conditioning_figurea5_mnist/ROW --data-dir DATA
Cost:      0.025 PFLOP a row; minutes on two CPU cores.
Expected:  plain nets with random initialization stay at the loss of guessing, the others learn;
           no values are printed. Not measured.
"""

import dataclasses

from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import USPS

ABOUT = About(
    title="What batch normalization and initialization do for 20 dense layers on MNIST",
    paper=(
        'Huang et al., "Layer-wise Conditioning Analysis in Exploring the Learning Dynamics of '
        "DNNs\", figure A5 (magnitudes and loss; random initialization in a to c, He's in d to "
        "f); figure A6 has the condition numbers of the same trainings."
    ),
    protocol=(
        "theirs: SGD with batch 1024, the best of the rates 0.05, 0.1, 0.5 and 1 by training "
        "loss; momentum, epochs and scaling of the inputs are not told. Here: no momentum, 50 "
        "epochs of one rate, 0.1 (the others by `learning_rate=`), inputs within [-1, 1]; of "
        "their program, random weights are from U(-1/sqrt(n), 1/sqrt(n)) for n inputs and He's "
        "have variance 2/n."
    ),
)

MNIST = dataclasses.replace(USPS, size=(28, 28), resize=28)

STARTS = (("random", "fan_in_uniform", "a to c"), ("he", "he_normal_fan_in", "d to f"))

RECIPES = {
    f"{kind}_{start}": ClassificationRecipe(
        model="mlp20_256",
        tag=f"mnist_{kind}_{start}",
        data="mnist",
        epochs=50,
        learning_rate=0.1,
        batch_size=1024,
        momentum=0.0,
        schedule="constant",
        recalibrate=10_000 if norm == "batchnorm" else 0,
        preprocess=MNIST,
        model_args={"norm": norm, "initializer": initializer},
        published=f"a curve (figure A5 {part}; no values printed)",
    )
    for kind, norm in (("plain", "none"), ("bn", "batchnorm"))
    for start, initializer, part in STARTS
}
