"""The 50-layer MaxNorm PlainNet on CIFAR-10, a longer run for two CPU cores.

Paper:     Oyedotun et al., "Revisiting the Training of Very Deep Neural Networks without Skip
           Connections", table III: 6.65% test error after 400 epochs.
Protocol:  that of maxnorm_plainnet50_cifar10 with 90 epochs and a crop of 4 pixels.
Command:   python -m training.train maxnorm_plainnet50_cifar10_cpu --data-dir DATA
Cost:      2.6 PFLOP; about 4.5 core-hours at 300 images/s on one core.
Expected:  about 90% test accuracy, after the 87.49% that 28 epochs gave. Not measured.
"""

import dataclasses

from training.recipes import maxnorm_plainnet50_cifar10

RECIPE = dataclasses.replace(
    maxnorm_plainnet50_cifar10.RECIPE, tag="cifar10_cpu", epochs=90, crop=4
)
