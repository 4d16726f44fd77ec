"""What a request proves itself with: headers, a client certificate, or what a credential plugin hands out."""

import base64
import json
import os
import ssl
import subprocess
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from toolchain.plugins.kubernetes.kubeconfig import Connection, KubeconfigError
from toolchain.plugins.kubernetes.objects import Object, dig, text

PLUGIN_TIMEOUT_S: Final = 60


class Credentials:
    """Headers and TLS context of one connection; safe for use by many threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._issued: Object | None = None
        self._context: ssl.SSLContext | None = None

    def headers(self) -> dict[str, str]:
        """The request headers that say who we are."""
        c = self._connection
        token = c.token or (
            Path(c.token_file).read_text().strip() if c.token_file else text(self._plugin().get("token"))
        )
        if token:
            return {"Authorization": f"Bearer {token}"}
        if c.username:
            pair = base64.b64encode(f"{c.username}:{c.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}

    def tls(self) -> ssl.SSLContext:
        """The TLS context with authorities and client certificate."""
        issued = self._plugin()
        with self._lock:
            if self._context is None:
                self._context = self._make_context(issued)
            return self._context

    def renew(self) -> bool:
        """Forget what a plugin issued; False when there is no plugin, so that trying again is of no use."""
        with self._lock:
            self._issued = self._context = None
        return self._connection.plugin is not None

    def _make_context(self, issued: Object) -> ssl.SSLContext:
        c = self._connection
        try:
            context = ssl.create_default_context(cadata=c.authority or None)
        except ssl.SSLError as error:
            raise KubeconfigError("kubeconfig: certificate-authority is not a PEM certificate") from error
        # Cluster authorities are often made without a key usage, which newer Pythons refuse by default.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if c.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate = c.certificate or text(issued.get("clientCertificateData"))
        key = c.key or text(issued.get("clientKeyData"))
        if certificate:
            # ssl reads files only; this one is the user's alone and gone at once.
            with tempfile.NamedTemporaryFile("w", prefix="client-", suffix=".pem") as file:
                file.write(f"{certificate}\n{key}\n")
                file.flush()
                try:
                    context.load_cert_chain(file.name)
                except ssl.SSLError as error:
                    raise KubeconfigError("kubeconfig: client certificate and key do not fit together") from error
        return context

    def _plugin(self) -> Object:
        plugin = self._connection.plugin
        if plugin is None:
            return {}
        with self._lock:
            if self._issued is None or _expired(self._issued):
                self._issued = _run(dict(plugin))
                self._context = None
            return self._issued


def _expired(issued: Object) -> bool:
    until = text(issued.get("expirationTimestamp"))
    return bool(until) and datetime.fromisoformat(until.replace("Z", "+00:00")) <= datetime.now(UTC)


def _run(plugin: Object) -> Object:
    command = [str(plugin.get("command")), *(str(a) for a in plugin.get("args") or [])]
    version = text(plugin.get("apiVersion")) or "client.authentication.k8s.io/v1"
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    env = os.environ | {entry["name"]: entry["value"] for entry in plugin.get("env") or []}
    env["KUBERNETES_EXEC_INFO"] = json.dumps(info)
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PLUGIN_TIMEOUT_S
        )
    except FileNotFoundError as error:
        hint = " ".join(text(plugin.get("installHint")).split())
        raise KubeconfigError(
            f"kubeconfig: credential plugin {command[0]!r} is not installed. {hint}".rstrip()
        ) from error
    except subprocess.TimeoutExpired as error:
        raise KubeconfigError(f"kubeconfig: credential plugin {command[0]!r} took over {PLUGIN_TIMEOUT_S} s") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        raise KubeconfigError(f"kubeconfig: credential plugin {command[0]!r} failed ({done.returncode}): {said}")
    try:
        status: Any = dig(json.loads(done.stdout), "status", default={})
    except ValueError as error:
        raise KubeconfigError(f"kubeconfig: credential plugin {command[0]!r} printed no ExecCredential") from error
    return dict(status)
