"""The previous release as a checkout of its own, with its own Python packages and images."""

import os
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from toolchain.kit.paths import ROOT

RELEASE = ROOT / "tests" / "cluster" / "previous_release.toml"
IMAGES = ("postgres", "redis", "trading")


def check_out(folder: Path) -> Path:
    """Put the release's files into the folder and make its .venv; fails the test when the commit is not at hand."""
    release = tomllib.loads(RELEASE.read_text())
    archive = folder / "release.tar"
    done = subprocess.run(
        ["git", "archive", "--output", str(archive), release["commit"]],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"release {release['version']} is not in this clone ({done.stderr.strip()}): git fetch --unshallow")
    tree = folder / str(release["version"])
    with tarfile.open(archive) as tar:
        tar.extractall(tree, filter="data")
    subprocess.run(["toolchain/bootstrap.sh"], cwd=tree, check=True)
    return tree


def build_images(tree: Path) -> list[str]:
    """Build what the release's pods run, from its own files; returns the archives."""
    done = subprocess.run(
        [".venv/bin/python", "-m", "toolchain.images", "build", *IMAGES],
        cwd=tree, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.split()
