"""The cluster that tests marked `cluster` share: the one KUBECONFIG names, else three nodes of the tests' own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.kit.images import content_tag, reference
from toolchain.kit.paths import ROOT

KUBERNETES_PORT = "16543"
API_PORT = "18180"


@dataclass(frozen=True)
class Cluster:
    """A running cluster as tests use it.

    Attributes:
        kubeconfig: admin kubeconfig.
        env: environment with PATH, KUBECONFIG and the Pulumi settings of the toolchain.
        image: an image that every node has; it holds a shell and coreutils.
    """

    kubeconfig: Path
    env: Mapping[str, str]
    image: str

    def kubectl(self, *args: str) -> str:
        """Standard output of kubectl; fails the test with its error text."""
        done = subprocess.run(["kubectl", *args], env=dict(self.env), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def toolchain(self, module: str, *args: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a command of the toolchain in the tests' own folder; the caller looks at the exit code."""
        argv = [sys.executable, "-m", module, *args]
        return subprocess.run(
            argv, cwd=ROOT, env=dict(self.env), capture_output=True, text=True, timeout=timeout_s, check=False
        )


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with the toolchain's environment; taken down at the end when the session brought it up."""
    local = Path(os.environ.get("TRADING_LOCAL", str(ROOT / ".local" / "test")))
    env = dict(os.environ) | {
        "TRADING_LOCAL": str(local),
        "TRADING_KUBERNETES_PORT": os.environ.get("TRADING_KUBERNETES_PORT", KUBERNETES_PORT),
        "TRADING_API_PORT": os.environ.get("TRADING_API_PORT", API_PORT),
    }
    run = [sys.executable, "-m"]
    was_up = (
        subprocess.run([*run, "toolchain.cluster", "status"], cwd=ROOT, env=env, capture_output=True).returncode == 0
    )
    try:
        subprocess.run([*run, "toolchain.platform", "cluster"], cwd=ROOT, env=env, check=True)
        printed = subprocess.run(
            ["sh", "-c", '. "$TRADING_LOCAL/env" && env -0'], env=env, check=True, capture_output=True, text=True
        ).stdout
        sourced = dict(line.split("=", 1) for line in printed.split("\0") if "=" in line)
        yield Cluster(
            kubeconfig=Path(sourced["KUBECONFIG"]), env=sourced, image=reference("base", tag=content_tag("base"))
        )
    finally:
        if not was_up:
            subprocess.run([*run, "toolchain.cluster", "down"], cwd=ROOT, env=env, check=True)
