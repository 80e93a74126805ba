"""What `import zoo` costs on top of `import keras`, in processor time."""

import time

from benchmarks.common import main


def imports() -> dict[str, float]:
    began = time.process_time()
    import keras  # noqa: F401

    between = time.process_time()
    import zoo  # noqa: F401

    return {"import keras": between - began, "import zoo after it": time.process_time() - between}


CONTENDERS = {backend: (backend, imports) for backend in ("tensorflow", "jax", "torch")}

if __name__ == "__main__":
    main("import_time", CONTENDERS, {})
