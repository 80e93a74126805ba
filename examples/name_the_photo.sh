#!/usr/bin/env bash
# Names what is on photos with a 50-layer network without shortcuts, in an environment of its own:
#   bash examples/name_the_photo.sh [PHOTO …]      without photos: the cat of scikit-image
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
if [[ ! -x $here/.venv/bin/zoo ]]; then
  echo "Setting up $here/.venv (once) …" >&2
  python3 -m venv "$here/.venv"
  "$here/.venv/bin/pip" install --quiet --editable "$here[examples]"
fi
if [[ $# -eq 0 ]]; then
  set -- "$("$here/.venv/bin/python" -c \
    'import skimage, os; print(os.path.join(os.path.dirname(skimage.__file__), "data/chelsea.png"))')"
fi
exec "$here/.venv/bin/zoo" predict seqnet50 "$@"
