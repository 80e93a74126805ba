#!/usr/bin/env bash
# Lint, types and tests, in an environment of their own.
#   bash tests/run.sh                           TensorFlow
#   bash tests/run.sh tests/layers -- -k crelu  some of the tests
#   .ci/run                                     every backend
set -euo pipefail
cd "$(dirname "$0")/.."
backends=${ZOO_BACKENDS:-tensorflow}

# The environment lies outside of the clone, one for each Python and list of requirements.
lists=(tests/requirements.txt)
[[ $backends == tensorflow ]] || lists+=(tests/requirements-backends.txt)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/zoo-tests
key=$({ python3 -VV; cat "${lists[@]}"; } | sha256sum | cut -c1-12)
env=$cache/$key
if [[ ! -e $env/ready ]]; then
  echo "Installing what the tests need in $env"
  python3 -m venv --clear "$env"
  "$env/bin/pip" install --quiet "${lists[@]/#/-r}"
  [[ $backends == tensorflow ]] || "$env/bin/pip" install --quiet --no-deps keras-hub
  touch "$env/ready"
fi

export PYTHONPATH=$PWD MYPY_CACHE_DIR=$env/mypy RUFF_CACHE_DIR=$env/ruff
# JAX keeps what it compiled: the next run takes little more than half the time.
export JAX_COMPILATION_CACHE_DIR=$env/jax
status=0
"$env/bin/ruff" check --quiet . || status=1
"$env/bin/ruff" format --quiet --check . || status=1
"$env/bin/mypy" || status=1
"$env/bin/python" tests/run.py --backends "${backends// /,}" "$@" || status=1
exit $status
