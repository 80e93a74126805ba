"""How alike the filters of 44 plain layers become, with and without orthonormality.

Xie et al., "All You Need is Beyond a Good Init", figure 2.

    python -m examples.figures.correlation_filters

Theirs: over the training, 164 epochs. Here: before the training and at its end, layer by layer, of
the two shipped checkpoints of 30 epochs each (`plainnet44.cifar10`, `plainnet44.cifar10_l2`).
Cosines are signed, as the paper's equation 8 has them, without the pairs of a filter with itself.
"""

import keras
import numpy as np

import zoo
from examples.figures import common
from zoo.signals import filter_correlations, layers_of

METHODS = {
    "orthonormality": ("plainnet44.cifar10", {}),
    "He initialization + L2": (
        "plainnet44.cifar10_l2",
        {"initializer": "he_normal", "orthonormal": 0.0, "weight_decay": 1e-4},
    ),
}


def main(argv: list[str] | None = None) -> None:
    options = common.parser(__doc__).parse_args(argv)
    keras.utils.set_random_seed(0)
    figure, ((panel,),) = common.axes(1, width=6)
    rows, pooled = [], {}
    for i, (method, (checkpoint, start)) in enumerate(METHODS.items()):
        models = {"before": zoo.create("plainnet44", **start), "trained": zoo.load(checkpoint)}
        for when, model in models.items():
            cosines = _cosines(model)
            pooled[method, when] = float(np.mean(np.concatenate(list(cosines.values()))))
            means = [float(np.mean(values)) for values in cosines.values()]
            style = "-" if when == "trained" else ":"
            panel.plot(
                range(1, len(means) + 1), means, style, color=f"C{i}", label=f"{method}, {when}"
            )
            rows += [
                {
                    "method": method,
                    "when": when,
                    "layer": layer,
                    "correlation": float(np.mean(values)),
                    "absolute": float(np.mean(np.abs(values))),
                }
                for layer, values in cosines.items()
            ]
    panel.set(xlabel="convolution", ylabel="mean cosine of two filters")
    panel.legend(fontsize="small")
    ours, baseline = (pooled[method, "trained"] for method in METHODS)
    starts = [pooled[method, "before"] for method in METHODS]
    common.save(
        "correlation_filters",
        figure,
        rows,
        paper="Xie et al., “All You Need is Beyond a Good Init”, figure 2",
        claim="Training makes filters alike: orthonormality holds their mean cosine at about 6e-3, "
        "L2 regularization lets it grow to about 2.5 times that.",
        verdict=f"Mean cosine {starts[0]:.1e} before and {ours:.2e} after training with "
        f"orthonormality, {starts[1]:.1e} and {baseline:.2e} with L2: {baseline / ours:.2f} times "
        "as much.",
        seen=baseline > 1.5 * ours and ours > starts[0] and ours < 1e-2,
        budget="Two trainings of 30 epochs (paper: 164).",
        command="python -m examples.figures.correlation_filters"
        + (" --quick" if options.quick else ""),
        to=options.to,
    )


def _cosines(model) -> dict[str, np.ndarray]:
    return {
        name: filter_correlations(layer.kernel)
        for layer, name in layers_of(model).items()
        if isinstance(layer, keras.layers.Conv2D)
    }


if __name__ == "__main__":
    main()
