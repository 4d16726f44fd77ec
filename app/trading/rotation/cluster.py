"""The cluster as a rotation sees it: epochs, pods that follow, and the journal."""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from trading.rotation.errors import RotationError
from trading.rotation.journal import decode, encode, grown
from trading.rotation.kubectl import Kubectl
from trading.rotation.reports import SECRET, Pod, behind, epochs_of, pods_of, unready
from trading.security.audit import Entry, Link

EPOCH = "trading-platform/credential-epoch"
JOURNAL = "credential-rotation"
LABELS = {"app.kubernetes.io/name": "credentials", "app.kubernetes.io/component": "rotation"}
ASK = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=5).read().decode())"
AT_ONCE = 4


class Cluster:
    """See the module. Every method raises `RotationError` when kubectl fails."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def epochs(self) -> dict[str, int]:
        """Kind to the epoch that its Secret has."""
        annotated = {kind: metadata.get("annotations") or {} for kind, metadata in self._secrets().items()}
        return {kind: int(found[EPOCH]) for kind, found in annotated.items() if EPOCH in found}

    def made_at(self) -> dict[str, datetime]:
        """Kind to when its Secret was made."""
        made = {kind: metadata["creationTimestamp"] for kind, metadata in self._secrets().items()}
        return {kind: datetime.fromisoformat(at) for kind, at in made.items()}

    def _secrets(self) -> dict[str, dict[str, Any]]:
        # the metadata alone: values have no business in this process
        metadata = "{range .items[*]}{.metadata}{'\\n'}{end}"
        rows = self._kubectl("get", "secrets", "-o", f"jsonpath={metadata}").splitlines()
        found = [json.loads(row) for row in rows]
        return {str(one["name"]).removeprefix(SECRET): one for one in found if str(one["name"]).startswith(SECRET)}

    def unready(self) -> list[str]:
        """A line for each workload of which a pod is missing."""
        return unready(self._json("get", "statefulsets,deployments", "-o", "json"))

    def behind(self, wanted: Mapping[str, int]) -> list[str]:
        """A line for each pod that does not work with the wanted epoch of a kind that it mounts."""
        pods = [pod for pod in pods_of(self._json("get", "pods", "-o", "json")) if pod.kinds & wanted.keys()]
        if not pods:
            return [f"no pod mounts {', '.join(sorted(wanted))}"]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            answers = dict(zip((pod.name for pod in pods), threads.map(self._ask, pods), strict=True))
        return behind(pods, answers, wanted)

    def _ask(self, pod: Pod) -> dict[str, int]:
        try:
            return epochs_of(
                pod, self._kubectl("exec", pod.name, "-c", pod.container, "--", "python3", "-c", ASK, pod.url)
            )
        except RotationError:  # it starts, or is gone by now: it counts as one that has not moved
            return {}

    def journal(self) -> tuple[list[Link], str | None]:
        """The chain of entries, and the version of the object that holds it; None where there is none yet."""
        found = self._kubectl("get", "configmap", JOURNAL, "-o", "json", "--ignore-not-found")
        if not found.strip():
            return [], None
        held = json.loads(found)
        return decode(held.get("data", {}).get("log", "")), held["metadata"]["resourceVersion"]

    def note(self, entries: Sequence[Entry]) -> None:
        """Add entries to the journal; refused when somebody else wrote to it in between."""
        links, version = self.journal()
        metadata: dict[str, Any] = {"name": JOURNAL, "labels": LABELS}
        if version is not None:
            metadata["resourceVersion"] = version
        held = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"log": encode(grown(links, entries, datetime.now(UTC)))},
        }
        self._kubectl("create" if version is None else "replace", "-f", "-", stdin=json.dumps(held))

    def service_account_tokens(self) -> list[str]:
        """Names of the Secrets that hold a token without an end."""
        found = self._kubectl(
            "get", "secrets", "--field-selector", "type=kubernetes.io/service-account-token", "-o", "name"
        )
        return found.split()

    def token_lives_s(self) -> dict[str, int]:
        """Pod to the longest life of a token for the Kubernetes API that it mounts, seconds."""
        lives = {}
        for item in self._json("get", "pods", "-o", "json")["items"]:
            sources = [
                source["serviceAccountToken"].get("expirationSeconds", 3600)
                for volume in item["spec"].get("volumes") or ()
                for source in (volume.get("projected") or {}).get("sources") or ()
                if "serviceAccountToken" in source
            ]
            if sources:
                lives[str(item["metadata"]["name"])] = max(sources)
        return lives

    def _json(self, *args: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._kubectl(*args))
        return found


def lines(texts: Iterable[str]) -> str:
    """Several lines, a little to the right."""
    return "".join(f"\n  {text}" for text in texts)
