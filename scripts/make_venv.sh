#!/usr/bin/env bash
# make_venv.sh PYTHON DIRECTORY REQUIREMENT...: a virtual environment, also on a Debian whose Python came without venv.
set -eu
python=$1 directory=$2
shift 2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "mlenv.jupyter needs Python 3.11 or later; $python is $("$python" --version 2>&1). Name another: make PYTHON=python3.13" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "This Python has no venv module; installing Debian's python3-venv"
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get -qq update && $sudo apt-get -qq install --no-install-recommends python3-venv
fi
"$python" -m venv "$directory"
# Once `make tools` has brought uv, it does this in a fifth of pip's time. It knows nothing of pip's settings: what it cannot get, pip may.
uv=${0%/*}/../.venv/bin/uv
"$uv" pip install --quiet --python "$directory/bin/python" "$@" 2>/dev/null || "$directory/bin/pip" install --quiet --disable-pip-version-check "$@"
