"""The 50-layer MaxNorm PlainNet on CIFAR-10, trained further, for two CPU cores.

Command:   python -m training.train maxnorm_plainnet50_cifar10 --data-dir DATA
           python -m training.train maxnorm_plainnet50_cifar10_cpu --data-dir DATA \
               weights=runs/maxnorm_plainnet50_cifar10/checkpoint
           python -m training.train maxnorm_plainnet50_cifar10_cpu --data-dir DATA \
               weights=runs/maxnorm_plainnet50_cifar10_cpu/checkpoint epochs=24 --run runs/again
Cost:      0.99 PFLOP; about 2.3 core-hours at 200 images/s on one core; 1.7 the second time.
Expected:  90.44% test accuracy after all three trainings, 28 + 34 + 24 epochs, as
           `maxnorm_plainnet50.cifar10` has it.
"""

import dataclasses

from training.recipes import maxnorm_plainnet50_cifar10
from training.tasks.recipe import About

ABOUT = About(
    title="The 50-layer MaxNorm PlainNet on CIFAR-10, trained further, for two CPU cores",
    paper=(
        'Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip '
        'Connections", table III: 6.65% test error after 400 epochs.'
    ),
    protocol=(
        "that of maxnorm_plainnet50_cifar10 with a crop of 4 pixels, from the weights that its "
        "28 epochs gave: the rate starts again at its peak and falls in 34 epochs, then in 24 "
        'more (warm restarts, Loshchilov, Hutter, "SGDR", ICLR 2017). 86 epochs together.'
    ),
)

RECIPE = dataclasses.replace(
    maxnorm_plainnet50_cifar10.RECIPE, tag="cifar10_cpu", epochs=34, warmup_epochs=1, crop=4
)
