"""Plain nets of 100 dense layers, trained on USPS: naive, with batch norm, with all three remedies.

"proposed" is the shipped checkpoint `maxnorm_mlp100.usps`, "BN" the finished run
`maxnorm_table2_usps/bn` in RUNS, "naive" the run `maxnorm`, 300 epochs each. The latter has
max-norm 3, but no unit comes near that norm (which is checked), so it is the naive net. What is
missing in RUNS is trained here for 2 epochs (seed 0; half a minute each).
"""

import keras
import numpy as np

import zoo
from examples.figures import common

_EPOCHS = 2
_BATCH = 128
# Net -> its run, its normalization, a rate that it bears.
_ROWS = {"naive": ("maxnorm", "none", 1e-4), "BN": ("bn", "batchnorm", 0.01)}
NAMES = (*_ROWS, "proposed")


def nets(options, x, y) -> tuple[int, dict[str, keras.Model], dict[str, int]]:
    """The depth, the three nets, and of each the epochs of its training: those that its card names,
    or that it had here on x and y.

    `options.quick` gives nets of 10 layers, all made here.
    """
    depth = 10 if options.quick else 100
    trained, epochs = {}, {}
    for name, (row, norm, rate) in _ROWS.items():
        folder = options.runs / "maxnorm_table2_usps" / row / "checkpoint"
        if folder.is_dir() and not options.quick:
            trained[name] = zoo.load(str(folder))
            epochs[name] = trained[name].zoo_card.training.epochs
        else:
            print(f"{name} is trained shortly, in place of {folder}")
            epochs[name] = 1 if options.quick else _EPOCHS
            trained[name] = _trained(depth, x, y, norm, rate, epochs[name])
    largest = max(
        _unit_norm(layer) for layer in trained["naive"].layers if hasattr(layer, "kernel")
    )
    if largest > 2.9:
        raise SystemExit(f"Max-norm 3 acts in the naive net: a unit has the norm {largest:.3g}.")
    if options.quick:
        trained["proposed"], epochs["proposed"] = zoo.create(f"maxnorm_mlp{depth}"), 0
    else:
        trained["proposed"] = zoo.load("maxnorm_mlp100.usps")
        epochs["proposed"] = trained["proposed"].zoo_card.training.epochs
    return depth, trained, epochs


def _unit_norm(layer) -> float:
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    return float(np.linalg.norm(kernel, axis=0).max())


def _trained(depth, x, y, norm, rate, epochs):
    model = zoo.create(f"maxnorm_mlp{depth}", nonlinearity="relu", max_norm=None, norm=norm)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy")
    for _ in range(epochs):
        common.train(model, x, y, steps=-(-len(x) // _BATCH), batch=_BATCH)
    if norm == "batchnorm":
        zoo.callbacks.recalibrate_batch_norm(model, x)
    return model
