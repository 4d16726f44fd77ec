#!/bin/sh
# Makes .venv from uv.lock with nothing but a Python >= 3.11 and a package index. Run by make when the lock changes.
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9

apt_install() { # package...
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "error: this machine lacks $*; install it with the system's package manager, then run make again" >&2
        exit 1
    fi
    echo "==> install Debian packages: $*" >&2
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    apt_install python3 python3-venv
    python=$(find_python)
fi
if [ -z "$python" ]; then
    echo "error: Python = $(python3 --version 2>&1): 3.11 or newer is needed; install one and put it on PATH" >&2
    exit 1
fi
"$python" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv

uv=.local/uv/bin/uv
if ! "$uv" --version 2>/dev/null | grep -q "^uv $UV_VERSION"; then
    echo "==> install uv $UV_VERSION" >&2
    "$python" -m venv .local/uv
    .local/uv/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
fi
echo "==> install the locked Python packages into .venv" >&2
UV_PYTHON_DOWNLOADS=never "$uv" sync --frozen --quiet --python "$python" --link-mode copy
