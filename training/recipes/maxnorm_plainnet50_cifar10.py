"""The 50-layer MaxNorm PlainNet on CIFAR-10, shortened for a CPU.

Command:   python -m training.train maxnorm_plainnet50_cifar10 --data-dir DATA
           On a machine that has the time: epochs=400 crop=4
Cost:      89 minutes beside another training on two CPU cores (TensorFlow, bfloat16).
Expected:  `maxnorm_plainnet50.cifar10` went on from here (maxnorm_plainnet50_cifar10_cpu) and has
           90.44% test accuracy after 86 epochs in all; of the first 28 no file is kept.
"""

from training.tasks.classification.recipe import ClassificationRecipe
from training.tasks.recipe import About
from zoo.preprocessing import CIFAR

ABOUT = About(
    title="The 50-layer MaxNorm PlainNet on CIFAR-10, shortened for a CPU",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", table III: 6.65% test error after 400 epochs.'
    ),
    protocol=(
        "theirs: batch 128, learning rate within [1e-4, 0.1], momentum 0.9, weight decay 1e-4; "
        "schedule and augmentation are not told. Here: 28 epochs, 0.1 falling to 0 by a cosine "
        "after 2 epochs of warm-up, horizontal flip and crop of 2 pixels."
    ),
)

RECIPE = ClassificationRecipe(
    model="maxnorm_plainnet50",
    tag="cifar10",
    data="cifar10",
    epochs=28,
    learning_rate=0.1,
    warmup_epochs=2,
    flip=True,
    crop=2,
    dtype="mixed_bfloat16",
    validate_every=4,
    preprocess=CIFAR,
    published="6.65% test error after 400 epochs (table III)",
)
