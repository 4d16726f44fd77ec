"""The members' pods at the Kubernetes API: one annotation of each, read and written."""

import json
import os
import ssl
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S = 2.0
MERGE = "application/merge-patch+json"


class Pods:
    """One annotation of the members' pods.

    Args:
        annotation: its key.
        account: folder with the token, which the kubelet renews, the authority and the namespace.
    """

    def __init__(self, annotation: str, account: Path = ACCOUNT) -> None:
        self._annotation = annotation
        self._token = account / "token"
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        host = f"[{host}]" if ":" in host else host
        namespace = (account / "namespace").read_text().strip()
        self._url = f"https://{host}:{port}/api/v1/namespaces/{namespace}/pods"
        self._tls = ssl.create_default_context(cafile=str(account / "ca.crt"))

    def read(self, names: Sequence[str]) -> dict[str, str]:
        """The annotation of those pods that have it. Raises OSError or ValueError."""
        found = {}
        for name in names:
            annotations = self._call("GET", name)["metadata"].get("annotations", {})
            if self._annotation in annotations:
                found[name] = str(annotations[self._annotation])
        return found

    def write(self, name: str, text: str | None) -> None:
        """Write the annotation of a pod, or remove it. Raises OSError or ValueError."""
        self._call("PATCH", name, {"metadata": {"annotations": {self._annotation: text}}})

    def _call(self, method: str, name: str, body: object = None) -> Any:  # noqa: ANN401  any JSON value
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {self._token.read_text().strip()}", "Content-Type": MERGE}
        request = urllib.request.Request(f"{self._url}/{name}", data, headers, method=method)  # noqa: S310  https only
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._tls) as response:  # noqa: S310
            return json.load(response)
