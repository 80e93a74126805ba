"""What residual blocks change, and their last activations, by normalization and nonlinearity.

Shang et al., "Exploring Normalization in Deep Residual Networks with Concatenated Rectified Linear
Units", figure 2 and table 1.

    python -m examples.figures.crelu_blocks --data-dir DATA [--runs RUNS]

Theirs: 110 layers, trained on CIFAR-100. Here: 110 layers at initialization, exact on 32 images of
CIFAR-10; and trained shortly, 32 layers of half the width on 16x16 pixels of CIFAR-10 for 120
steps of 64 images (seed 0; some three minutes in all). Networks without batch norm start
Glorot-uniform, as there; NormProp is its version 2. With `--runs`, the trained nets are those of
finished runs, such as `runs/crelu_table1_cifar100` (theirs) or `runs/crelu_table2_cifar10_cpu`. The
two blocks that reduce the resolution are left out: they change the shape. CReLU acts inside the
blocks, so the last activation of such a net is that of its last CReLU.
"""

from pathlib import Path

import keras
import numpy as np

import zoo
from examples.figures import common
from training.recipes.crelu_table1_cifar100 import PUBLISHED
from training.results.runs import read_run
from zoo import registry
from zoo.models.small_resnet import small_resnet
from zoo.signals.activations import activation_statistics
from zoo.signals.blocks import block_changes

PAPER = (
    "Shang et al., “Exploring Normalization in Deep Residual Networks with Concatenated Rectified "
    "Linear Units”, "
)
# Norm -> the argument of the net, a rate that both nonlinearities bear, and its rows of runs.
NORMS = {
    "Plain": ("none", 0.01, "plain"),
    "NormProp": ("normprop2", 0.01, "normprop2"),
    "BN": ("batchnorm", 0.1, "bn"),
}
ACTS = {"ReLU": "relu", "CReLU": "crelu"}
BATCH, LAST = 64, 20


def main(argv: list[str] | None = None) -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--runs", type=Path, help="folder of finished runs to take the nets from")
    options = parser.parse_args(argv)
    test = common.images("cifar10", "test", options, zoo.preprocessing.CIFAR, 32)[0]
    deep = 14 if options.quick else 110
    changes = {
        ("init", norm, act): _changes(_net(deep, norm, act), deep, test, training=True)
        for norm in ("Plain", "BN")
        for act in ACTS
    }
    measured = _finished(options) if options.runs else _shortly_trained(options)
    nets, x, losses, classes, budget = measured
    idle = _idle(losses, classes)
    lasts = {}
    for (norm, act), (model, depth) in nets.items():
        if norm != "NormProp":
            changes["trained", norm, act] = _changes(model, depth, x[:32])
        lasts[norm, act] = _last(model, depth, act, x)
    about = {
        "budget": f"{deep} layers at initialization (32 images of CIFAR-10), {budget}; theirs: 110 "
        "layers trained on CIFAR-100",
        "command": "python -m examples.figures.crelu_blocks --data-dir DATA"
        + (" --runs RUNS" if options.runs else ""),
        "to": options.to,
    }
    _save_changes(changes, losses, idle, about)
    _save_lasts(lasts, losses, idle, about)


def _shortly_trained(options):
    """(norm, activation) -> (net, depth), images for them, losses, classes, and what they are."""
    x, y = common.images("cifar10", "train", options, zoo.preprocessing.CIFAR, 10_000)
    test = common.images("cifar10", "test", options, zoo.preprocessing.CIFAR, 1000)[0]
    x, test = _shrunk(x), _shrunk(test)
    depth, steps = (8, 2) if options.quick else (32, 120)
    nets, losses = {}, {}
    for norm in NORMS:
        for act in ACTS:
            model = _net(depth, norm, act, width=8, input_shape=(16, 16, 3))
            model.compile(
                keras.optimizers.SGD(NORMS[norm][1], momentum=0.9),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
            end = min(LAST, steps - 1)
            common.train(model, x, y, steps=steps - end, batch=BATCH)
            losses[norm, act] = common.train(model, x, y, steps=end, batch=BATCH)
            print(f"{norm} {act}: loss {losses[norm, act]:.3f} at the end", flush=True)
            if norm == "BN":
                zoo.callbacks.recalibrate_batch_norm(model, x[:1000])
            nets[norm, act] = model, depth
    budget = (
        f"{depth} layers of half the width after {steps} steps of {BATCH} images at 16x16 pixels"
    )
    return nets, test, losses, 10, budget


def _finished(options):
    """The same of finished runs."""
    nets, losses, x, card = {}, {}, None, None
    for norm in NORMS:
        for act in ACTS:
            run = read_run(options.runs / f"{act.lower()}_{NORMS[norm][2]}")
            if run is None:
                raise SystemExit(f"{options.runs} lacks {act.lower()}_{NORMS[norm][2]}.")
            model = zoo.load(str(run.folder / "checkpoint"))
            card = model.zoo_card
            x = common.images(card.training.data, "test", options, model, 1000)[0]
            losses[norm, act] = run.history[-1]["cross_entropy"]
            nets[norm, act] = model, registry.find(card.architecture).fixed["depth"]
    depth, epochs = nets["BN", "ReLU"][1], card.training.epochs
    budget = f"{depth} layers after {epochs} epochs of {card.training.data}"
    return nets, x, losses, len(card.labels), budget


def _net(depth, norm, act, **more):
    keras.utils.set_random_seed(0)
    start = "he_normal" if norm == "BN" else "glorot_uniform"
    return small_resnet(
        depth,
        norm=NORMS[norm][0],
        nonlinearity=ACTS[act],
        initializer=start,
        activation=None,
        **more,
    )


def _shrunk(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


def _changes(model, depth, x, training=False) -> dict[str, float]:
    blocks = [f"stage{s}/block{i + 1}" for s in (1, 2, 3) for i in range((depth - 2) // 6)]
    return block_changes(model, x, ["stem_act", *blocks], training=training)


def _last(model, depth, act, x) -> dict[str, float]:
    block = f"stage3/block{(depth - 2) // 6}"
    layer = f"{block}/act{1 if act == 'CReLU' else 2}"
    batches = np.array_split(x, -(-len(x) // 250))
    return activation_statistics(model, batches, layers=[layer])[layer].summary()


def _lower_share(changes: dict[str, float]) -> float:
    """Share of all change that happens in the first two thirds of the blocks."""
    values = list(changes.values())
    return sum(values[: 2 * len(values) // 3]) / sum(values)


def _save_changes(changes, losses, idle, about):
    figure, (panels,) = common.axes(2)
    rows = []
    for (when, norm, act), values in changes.items():
        panel = panels[0 if when == "init" else 1]
        panel.plot(range(1, len(values) + 1), list(values.values()), label=f"{norm} {act}")
        panel.set(xlabel="block", ylabel="Δ", yscale="log", title=when)
        rows += [
            {
                "when": when,
                "norm": norm,
                "activation": act,
                "loss": losses[norm, act] if when == "trained" else float("nan"),
                "block": block,
                "change": value,
            }
            for block, value in values.items()
        ]
    panels[0].legend(fontsize=8)
    share = {key: _lower_share(values) for key, values in changes.items()}
    spread = {
        norm: max(
            max(values.values()) / min(values.values())
            for (when, n, _), values in changes.items()
            if (when, n) == ("trained", norm)
        )
        for norm in ("Plain", "BN")
    }
    plain = {k: s for k, s in share.items() if k[1] == "Plain"}
    bn = {k: s for k, s in share.items() if k[1] == "BN"}

    def listed(shares):
        return ", ".join(f"{act} {when} {s:.2g}" for (when, _, act), s in shares.items())

    def as_claimed(when):
        return max(s for k, s in plain.items() if k[0] == when) < 0.1 and (
            min(s for k, s in bn.items() if k[0] == when) > 0.3
        )

    answers = {True: "as the paper says", False: "not as the paper says"}
    idle = [text for (norm, _), text in idle.items() if norm != "NormProp"]
    trained = None if idle else as_claimed("trained")
    after = "not judged after this short training, in which " + ", ".join(idle) + " learned nothing"
    if trained is not None:
        after = f"{answers[trained]} after this short training"
    common.save(
        "crelu_blocks",
        figure,
        rows,
        paper=PAPER + "figure 2",
        claim="Without normalization the first 36 of 54 blocks hardly change anything and the "
        "rest abruptly much; with BN all blocks change about as much.",
        verdict="Share of all change that the first two thirds of the blocks make: plain "
        f"{listed(plain)}; BN {listed(bn)}. Largest over smallest change after training: plain "
        f"{spread['Plain']:.3g}, BN {spread['BN']:.3g}. So it is {answers[as_claimed('init')]} at "
        f"initialization and {after}.",
        seen=None if trained is None else as_claimed("init") and trained,
        **about,
    )


def _idle(losses, classes) -> dict[tuple[str, str], str]:
    """Nets that have learned nothing, in words."""
    return {
        (norm, act): f"{norm} {act} (loss {loss:.2f})"
        for (norm, act), loss in losses.items()
        if not common.learned(loss, classes)
    }


def _save_lasts(lasts, losses, idle, about):
    figure, (panels,) = common.axes(2)
    names = [f"{norm}\n{act}" for norm, act in lasts]
    rows = []
    for (norm, act), s in lasts.items():
        mean, deviation, ratio = PUBLISHED[f"{act.lower()}_{NORMS[norm][2]}"]
        rows.append(
            {"norm": norm, "activation": act, "loss": losses[norm, act]}
            | {key: s[key] for key in ("mean", "deviation", "nonzero")}
            | {"published mean": mean, "published deviation": deviation, "published ratio": ratio}
        )
    for panel, (own, theirs) in zip(
        panels, (("mean", "published mean"), ("nonzero", "published ratio")), strict=True
    ):
        at = np.arange(len(rows))
        panel.bar(at - 0.2, [row[own] for row in rows], 0.4, label="here")
        panel.bar(at + 0.2, [row[theirs] for row in rows], 0.4, label="published")
        panel.set_xticks(at, names, fontsize=8)
        panel.set_title({"mean": "mean activation", "nonzero": "ratio of non-zero entries"}[own])
    panels[0].legend(fontsize=8)
    mean = {key: s["mean"] for key, s in lasts.items()}
    ratio = {key: s["nonzero"] for key, s in lasts.items()}
    common.save(
        "crelu_last_activation",
        figure,
        rows,
        paper=PAPER + "table 1",
        claim="Before the classifier, BN keeps the mean activation smallest; 0.51 of the entries "
        "of its ReLUs are not zero against 0.14 without normalization, 0.50 of CReLUs always.",
        verdict="Mean (ratio of non-zero entries): "
        + ", ".join(
            f"{norm} {act} {mean[norm, act]:.2f} ({r:.2f})" for (norm, act), r in ratio.items()
        )
        + "."
        + (f" Learned nothing: {', '.join(idle.values())}." if idle else ""),
        # NormProp's are shown; of them nothing is claimed but what holds for every CReLU.
        seen=None
        if any(norm != "NormProp" for norm, _ in idle)
        else all(mean["BN", act] < mean["Plain", act] for act in ACTS)
        and ratio["BN", "ReLU"] > ratio["Plain", "ReLU"]
        and all(abs(ratio[norm, "CReLU"] - 0.5) < 0.005 for norm in NORMS),
        **about,
    )


if __name__ == "__main__":
    main()
