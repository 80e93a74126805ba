#!/usr/bin/env bash
# Runs the whole test suite in its own environment: lint, then every backend that is asked for.
#   bash tests/run.sh                            TensorFlow and JAX
#   ZOO_BACKENDS="tensorflow jax torch" bash tests/run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
backends=${ZOO_BACKENDS:-tensorflow jax}

python3 -m venv .venv-test
extras=test,train,keras-cv,keras-hub
[[ $backends == *jax* ]] && extras+=,jax
# The release is pinned: a later one may bring gigabytes of another build.
[[ $backends == *torch* ]] && .venv-test/bin/pip install --quiet "torch==2.13.0"
.venv-test/bin/pip install --quiet --editable ".[$extras]"

.venv-test/bin/ruff check .
.venv-test/bin/ruff format --check .
export TF_CPP_MIN_LOG_LEVEL=3
# JAX keeps what it compiled: the next run takes little more than half the time.
export JAX_COMPILATION_CACHE_DIR=$PWD/.venv-test/jax-cache
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.2
for backend in $backends; do
  echo "== $backend"
  # What does not depend on the backend is tested once.
  only=()
  [[ $backend == "${backends%% *}" ]] || only=(-m "not once")
  KERAS_BACKEND=$backend .venv-test/bin/python -m pytest -q -n 2 --dist loadfile \
    "${only[@]}" "$@"
done
