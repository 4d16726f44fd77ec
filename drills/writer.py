"""The client of a drill: a pod of its own that writes through the same path as the application, and its ledger."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from components.postgres.names import DATABASE, MEMBERS_SERVICE, POSTGRES_PORT
from components.redis.image.settings import SENTINEL_PORT
from drills import ledger, watcher
from drills.target import POSTGRES, SENTINEL, Target, eventually, written
from toolchain.kit.console import ToolError

NAME = "drill-{store}"
NAMED = "app.kubernetes.io/name"
LABELS = {NAMED: "trading", "app.kubernetes.io/component": "drill"}
API = {NAMED: "trading", "app.kubernetes.io/component": "api"}
API_URL = "http://trading-api:8080"
UID = 10030
FIRST_WRITES, START_S = 20, 180
PROGRAMS = {"ledger.py": ledger, "watcher.py": watcher}


@dataclass(frozen=True)
class Writer:
    """A pod that writes, and the copy of its ledger on this machine's disk."""

    target: Target
    name: str
    path: Path

    def entries(self) -> list[ledger.Entry]:
        """What the ledger says by now."""
        return ledger.read(self.path) if self.path.exists() else []

    @property
    def watched(self) -> Path:
        """Which members of PostgreSQL took writes when, once it is over."""
        return self.path.with_name("watched")

    def acked(self) -> int:
        """How many writes are acknowledged by now."""
        return sum(entry.outcome == "acked" for entry in self.entries())

    def wait(self, more: int, within_s: float) -> None:
        """Wait for so many more acknowledged writes; raises `Late` when they do not come in time."""
        before = self.acked()
        eventually(lambda: self.acked() >= before + more, within_s, f"{more} more acknowledged writes")


@contextmanager
def writing(target: Target, store: str, path: Path, *, beside: str = "", on: str = "") -> Iterator[Writer]:
    """Write to `store` ("postgres", "redis" or "orders") while the body runs, from a node other than `beside`, or `on`.

    The pod's own output is the ledger, which the node keeps; when it is over, the whole of it is fetched once more.
    """
    name = NAME.format(store=store)
    source = {file: Path(str(program.__file__)).read_text() for file, program in PROGRAMS.items()}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": LABELS}, "data": source}
    stop = Event()
    with contextlib.ExitStack() as stay:
        for manifest in (config, *ways(store), pod(target, store, placed(beside, on))):
            stay.enter_context(written(target, manifest))
        follower = Thread(target=follow, args=(target, name, path, stop), daemon=True)
        follower.start()
        writer = Writer(target, name, path)
        try:
            eventually(lambda: writer.acked() >= FIRST_WRITES, START_S, f"the first {FIRST_WRITES} writes of {name}")
            yield writer
        finally:
            stop.set()
            eventually(lambda: fetch(target, name, path), 60, f"the ledger of {name}")
            if store == "postgres":
                # an empty one is waited for too: a watcher that saw no write at all has not looked
                seen = eventually(lambda: target.kubectl("logs", name, "-c", "watcher"), 60, f"the watcher of {name}")
                writer.watched.write_text(seen)


def follow(target: Target, name: str, path: Path, stop: Event) -> None:
    """Copy the ledger as it grows, anew from its beginning whenever the stream breaks."""
    while not stop.is_set():
        with path.open("w") as copy:
            argv = target.argv("logs", "-f", name, "-c", "ledger")
            stream = subprocess.Popen(argv, env=dict(target.tools.env), stdout=copy, stderr=subprocess.DEVNULL)
            while stream.poll() is None and not stop.wait(0.2):
                pass
            stream.kill()
            stream.wait()
        stop.wait(0.5)


def fetch(target: Target, name: str, path: Path) -> bool:
    """Stop the writer and copy its whole ledger."""
    try:
        target.shell(name, "ledger", "kill -TERM 1")
    except ToolError:
        if not target.kubectl("get", "pod", name, "-o", "name"):
            raise
    time.sleep(ledger.WRITE_TIMEOUT_S / 5)
    path.write_text(target.kubectl("logs", name, "-c", "ledger"))
    return True


def ways(store: str) -> list[dict[str, Any]]:
    """Let the client reach the store while it is there: policies add up, and the platform's own do not name it."""
    name, served = NAME.format(store=store), API if store == "orders" else {NAMED: store}
    client, server = ({"matchLabels": labels} for labels in (LABELS, served))
    rules = {
        name: {"podSelector": client, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": server}]}]},
        f"{name}-served": {
            "podSelector": server,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": client}]}],
        },
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": rule, "labels": LABELS},
            "spec": spec,
        }
        for rule, spec in rules.items()
    ]


def pod(target: Target, store: str, node: dict[str, Any]) -> dict[str, Any]:
    """The pod's manifest: the engine's own image, held to the same rules as every other pod."""
    name, kind = NAME.format(store=store), "api" if store == "orders" else f"{store}-app"
    slot, _ = target.credential(kind)
    image = target.client_image()
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": UID,
                "runAsGroup": UID,
                "fsGroup": UID,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": node}},
            "containers": [
                container("ledger", image, [store, *flags(target, store, slot), "--acked", "-"]),
                *([container("watcher", image, flags(target, store, slot))] if store == "postgres" else []),
            ],
            "volumes": [
                {"name": "program", "configMap": {"name": name}},
                {"name": "credential", "secret": {"secretName": f"credentials-{kind}", "defaultMode": 0o440}},
            ],
        },
    }


def container(name: str, image: str, args: list[str]) -> dict[str, Any]:
    """One of the pod's programs."""
    return {
        "name": name,
        "image": image,
        "command": ["python", f"/drill/{name}.py", *args],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
        "volumeMounts": [
            {"name": "program", "mountPath": "/drill", "readOnly": True},
            {"name": "credential", "mountPath": "/credentials", "readOnly": True},
        ],
    }


def flags(target: Target, store: str, slot: str) -> list[str]:
    """How the application finds the store, and logs in to it."""
    password = ["--password-file", f"/credentials/{slot}"]
    if store == "postgres":
        hosts = ",".join(f"{name}.{MEMBERS_SERVICE}:{POSTGRES_PORT}" for name in target.names(POSTGRES))
        return ["--hosts", hosts, "--database", DATABASE, "--user", f"trading_{slot}", *password]
    if store == "orders":
        signed = ["--signed"] if target.setting("api", "TRADING_SIGNING") else []
        return ["--api", API_URL, "--run", str(int(time.time())), *signed, *password]
    sentinels = ",".join(f"{name}:{SENTINEL_PORT}" for name in target.names(SENTINEL))
    return ["--sentinels", sentinels, "--master", "trading", "--user", "trading", *password]


def placed(beside: str, on: str) -> dict[str, Any]:
    """Any node but one, or one node alone."""
    operator, value = ("In", on) if on else ("NotIn", beside)
    rule = {"key": "kubernetes.io/hostname", "operator": operator, "values": [value]}
    return {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}
