"""The 50-layer MaxNorm PlainNet on CIFAR-10, trained further, for two CPU cores.

Paper:     Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
           Connections", table III: 6.65% test error after 400 epochs.
Protocol:  that of maxnorm_plainnet50_cifar10 with a crop of 4 pixels, from the weights that its 28
           epochs gave: the rate starts again at its peak and falls in 34 epochs (warm restarts,
           Loshchilov, Hutter, "SGDR", ICLR 2017). 62 epochs together.
Command:   python -m training.train maxnorm_plainnet50_cifar10 --data-dir DATA
           python -m training.train maxnorm_plainnet50_cifar10_cpu --data-dir DATA \\
               weights=runs/maxnorm_plainnet50_cifar10/checkpoint
Cost:      0.99 PFLOP; about 2.3 core-hours at 200 images/s on one core.
Expected:  89.74% test accuracy, after the 87.49% of the first 28 epochs.
"""

import dataclasses

from training.recipes import maxnorm_plainnet50_cifar10

RECIPE = dataclasses.replace(
    maxnorm_plainnet50_cifar10.RECIPE, tag="cifar10_cpu", epochs=34, warmup_epochs=1, crop=4
)
