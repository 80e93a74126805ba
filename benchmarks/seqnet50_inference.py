"""SeqNet50 on 224x224 images, batch 8: the zoo's against the same structure by hand in PyTorch."""

from functools import partial

from benchmarks.common import main, timed

SECONDS = 8
BATCH = 8


def keras_inference(policy: str) -> dict[str, float]:
    import keras
    import numpy as np

    import zoo

    keras.config.set_dtype_policy(policy)
    model = zoo.create("seqnet50", num_classes=1000)
    model.compile(jit_compile=keras.backend.backend() == "jax")
    x = np.random.default_rng(0).random((BATCH, 224, 224, 3), "float32")
    return {"image": timed(lambda: model.predict_on_batch(x), SECONDS, warmup=2) / BATCH}


def torch_inference(compiled: bool, half: bool) -> dict[str, float]:
    import torch

    from tests.torch_nets import SeqNet

    net = SeqNet().eval().to(memory_format=torch.channels_last)
    x = torch.rand(BATCH, 3, 224, 224).to(memory_format=torch.channels_last)
    if compiled:
        net = torch.compile(net)

    @torch.inference_mode()
    def run():
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return net(x)

    return {"image": timed(run, SECONDS, warmup=2) / BATCH}


DTYPES = {"float32": False, "bfloat16": True}
CONTENDERS = {
    f"PyTorch by hand, {dtype}, {'compiled' if compiled else 'eager'}": (
        "torch",
        partial(torch_inference, compiled, half),
    )
    for dtype, half in DTYPES.items()
    for compiled in (False, True)
} | {
    f"{backend}, {dtype}": (
        backend,
        partial(keras_inference, "mixed_bfloat16" if half else "float32"),
    )
    for backend in ("tensorflow", "jax", "torch")
    for dtype, half in DTYPES.items()
}

if __name__ == "__main__":
    by_hand = "PyTorch by hand, float32, eager"
    others = [key for key in CONTENDERS if key != by_hand]
    main("seqnet50_inference", CONTENDERS, dict.fromkeys(others, by_hand), rounds=2)
