"""The platform as the end-to-end tests hold it: commands, stack, and clients that run in the cluster's network."""

import base64
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from drills import ledger
from tests.fix_cluster import Cluster
from toolchain.kit.paths import ROOT

STACK = "local"
NAMESPACE = "trading"
T = TypeVar("T")


def eventually(ask: Callable[[], T | None], within_s: float, what: str) -> T:
    """Poll until the answer is truthy; fails the test with `what` after so many seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(0.5)
    pytest.fail(f"not within {within_s} s: {what}")


@dataclass(frozen=True)
class Platform:
    """Stack local on the tests' cluster."""

    cluster: Cluster
    api: str

    def pulumi(self, *args: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run pulumi in the project, without questions."""
        return subprocess.run(
            ["pulumi", *args, "--non-interactive", "--color", "never"],
            cwd=ROOT, env=dict(self.cluster.env), capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def kubectl(self, *args: str) -> str:
        """kubectl in the platform's namespace."""
        return self.cluster.kubectl("-n", NAMESPACE, *args)

    def objects(self, *args: str) -> list[dict[str, Any]]:
        """The items of a `kubectl get`."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", *args, "-o", "json"))["items"]
        return items

    def pod(self, selector: str) -> str:
        """The name of the one pod that a label selector finds."""
        names = [p["metadata"]["name"] for p in self.objects("pods", "-l", selector)]
        assert len(names) == 1, f"{selector}: {names}"
        return str(names[0])

    def secret(self, kind: str) -> dict[str, str]:
        """A credential's Secret, decoded."""
        data = json.loads(self.kubectl("get", "secret", f"credentials-{kind}", "-o", "json"))["data"]
        return {k: base64.b64decode(v).decode() for k, v in data.items()}

    def current(self, kind: str) -> tuple[str, str]:
        """(slot, password) that is current."""
        secret = self.secret(kind)
        return secret["current"], secret[secret["current"]]

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One call of the API: (status, JSON body)."""
        headers = {"X-API-Key": self.current("api")[1]}
        answer = httpx.request(method, self.api + path, json=body, headers=headers, timeout=10)
        return answer.status_code, answer.json()

    def in_cluster(self, *argv: str) -> list[str]:
        """The command that runs `argv` in the network of node-1, with the cluster's DNS."""
        return [sys.executable, "-m", "toolchain.cluster", "exec", "node-1", "--", *argv]

    @contextlib.contextmanager
    def writing(self, store: str, tmp_path: Path, *flags: str, kind: str, user: str) -> Iterator[Path]:
        """Run the ledger's client against a store while the body runs; yields the ledger file."""
        slot, password = self.current(kind)
        secret, acked = tmp_path / "password", tmp_path / "acked"
        secret.touch(mode=0o600)
        secret.write_text(password)
        login = f"{user}_{slot}" if store == "postgres" else user
        argv = [sys.executable, "-m", "drills.ledger", store, *flags, "--user", login]
        argv += ["--password-file", str(secret), "--acked", str(acked)]
        with (tmp_path / "log").open("w") as log:
            client = subprocess.Popen(self.in_cluster(*argv), cwd=ROOT, env=dict(self.cluster.env), stderr=log)
        try:
            eventually(lambda: acked.exists() and count_acked(acked) >= 20, 30, f"first writes; see {tmp_path}/log")
            yield acked
        finally:
            client.send_signal(signal.SIGTERM)
            client.wait(timeout=20)

    def config_copy(self, tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
        """The stack's configuration with a change, as a file for --config-file."""
        config = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())
        change(config["config"])
        copy = tmp_path / f"Pulumi.{STACK}.yaml"
        copy.write_text(yaml.safe_dump(config))
        return copy


def count_acked(path: Path) -> int:
    """How many writes a ledger file holds as acknowledged."""
    return sum(e.outcome == "acked" for e in ledger.read(path))
