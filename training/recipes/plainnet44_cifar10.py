"""The 44-layer PlainNet with orthonormality on CIFAR-10, shortened for a CPU.

Command:   python -m training.train plainnet44_cifar10 --data-dir DATA
           On a machine that has the time: epochs=164
Cost:      about 2 minutes per epoch on one CPU core (TensorFlow, bfloat16).
Expected:  80.18% test accuracy after 30 epochs, as `plainnet44.cifar10` has it; the
           baseline 69.91%.
Compare:   plainnet44_cifar10_l2, the paper's baseline with the same budget.
"""

from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title="The 44-layer PlainNet with orthonormality on CIFAR-10, shortened for a CPU",
    paper=(
        'Xie et al., "All You Need is Beyond a Good Init", table 2: 88.42% after 64k steps of '
        "128 images, where weight decay and He initialization reach 84.14%."
    ),
    protocol=(
        "theirs: horizontal flip, inputs standardized per pixel, learning rate 0.1 with a tenth "
        "at 1/2 and 3/4 of the steps, momentum 0.9, coefficient 1e-4. Here: the same with fewer "
        "epochs (the paper's number is 164), inputs standardized per channel, bfloat16."
    ),
)

RECIPE = ClassificationRecipe(
    model="plainnet44",
    tag="cifar10",
    data="cifar10",
    epochs=30,
    learning_rate=0.1,
    schedule="steps",
    flip=True,
    dtype="mixed_bfloat16",
    validate_every=3,
    preprocess=CIFAR,
    published="88.42% test accuracy after 164 epochs (table 2)",
)
