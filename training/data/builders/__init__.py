"""Builders for tensorflow-datasets; `python -m training.data.prepare` runs them."""

from training.data.builders.stored import Cifar10, Coil20, Mnist, StoredSet, TinyImagenet, Usps

BUILDERS = {
    "cifar10": Cifar10,
    "coil20": Coil20,
    "mnist": Mnist,
    "tiny_imagenet": TinyImagenet,
    "usps": Usps,
}

__all__ = ["BUILDERS", "Cifar10", "Coil20", "Mnist", "StoredSet", "TinyImagenet", "Usps"]
