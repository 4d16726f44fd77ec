"""Where the cluster is and who we are there: kubeconfig files, their contents, or a pod's own service account."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from toolchain.plugins.kubernetes.objects import Object, dig, text

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NAMES: Final = ("clusters", "contexts", "users")


class KubeconfigError(Exception):
    """A kubeconfig that cannot be used; its text is one line that says what and where."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One cluster and one user of it, with everything a client needs; files are read already."""

    server: str
    context: str = ""
    namespace: str = ""
    authority: str = ""
    """PEM of the certificate authorities; empty for the system's."""
    insecure: bool = False
    tls_server_name: str = ""
    proxy: str = ""
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    """Read again for each request: its content is rotated."""
    username: str = ""
    password: str = field(default="", repr=False)
    plugin: Mapping[str, Any] | None = field(default=None, repr=False)
    """An `exec` credential plugin."""

    @property
    def label(self) -> str:
        """How a message names the cluster."""
        return f"{self.server} (kubeconfig context {self.context!r})" if self.context else self.server


def load(setting: str) -> Object:
    """Read a kubeconfig.

    Args:
        setting: a path or the content itself; empty for $KUBECONFIG (several files are merged) or ~/.kube/config.

    Returns:
        The kubeconfig with paths made absolute; an empty one when there is no file at all.
    """
    if setting.strip():
        path = Path(setting).expanduser() if "\n" not in setting and "{" not in setting else None
        if path is None:
            return _parse(setting, "the kubeconfig given to the provider", Path.cwd())
        if not path.is_file():
            raise KubeconfigError(f"kubeconfig {setting!r} is no file; give the path of one, or its content")
        return _read(path)
    paths = [Path(p).expanduser() for p in os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep) if p]
    merged: Object = {}
    for path in paths:
        if path.is_file():
            _merge(merged, _read(path))
    return merged


def _read(path: Path) -> Object:
    try:
        return _parse(path.read_text(), f"kubeconfig {path}", path.parent)
    except OSError as error:
        raise KubeconfigError(f"kubeconfig {path} cannot be read: {error.strerror}") from error


def _parse(content: str, what: str, folder: Path) -> Object:
    try:
        config = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        # The parser's own message would quote the line, which may hold a credential.
        raise KubeconfigError(f"{what} is not valid YAML{where}") from error
    if not isinstance(config, dict):
        raise KubeconfigError(f"{what} is no kubeconfig: a mapping with clusters, contexts and users is expected")
    for section, keys in (
        ("clusters", ("certificate-authority",)),
        ("users", ("client-certificate", "client-key", "tokenFile")),
    ):
        for entry in config.get(section) or []:
            values = dig(entry, section[:-1], default={})
            for key in keys:
                if values.get(key):
                    values[key] = str(folder / values[key])
    return config


def _merge(into: Object, other: Object) -> None:
    for section in NAMES:
        known = {entry.get("name") for entry in into.get(section) or []}
        into[section] = (into.get(section) or []) + [e for e in other.get(section) or [] if e.get("name") not in known]
    into["current-context"] = into.get("current-context") or other.get("current-context")


def _entry(config: Object, section: str, name: str) -> Object:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            return dict(dig(entry, section[:-1], default={}))
    known = ", ".join(sorted(str(entry.get("name")) for entry in config.get(section) or [])) or "none"
    raise KubeconfigError(f"kubeconfig has no {section[:-1]} named {name!r}; it has: {known}")


def active_cluster(config: Object, context: str, cluster: str) -> Object | None:
    """The settings of the cluster in use, None if the kubeconfig or the context leads to none."""
    try:
        name = cluster or text(
            _entry(config, "contexts", context or text(config.get("current-context"))).get("cluster")
        )
        return _entry(config, "clusters", name)
    except KubeconfigError:
        return None


def connect(config: Object, *, context: str = "", cluster: str = "", namespace: str = "") -> Connection:
    """Choose cluster and user, by default those of the current context; without any kubeconfig, a pod's own account."""
    if not config.get("clusters"):
        if own := _in_cluster(namespace):
            return own
        raise KubeconfigError("no kubeconfig: set the provider's kubeconfig, or KUBECONFIG, to that of your cluster")
    name = context or text(config.get("current-context"))
    if not name:
        raise KubeconfigError("kubeconfig has no current-context; set it, or the provider's context")
    chosen = _entry(config, "contexts", name)
    target = _entry(config, "clusters", cluster or text(chosen.get("cluster")))
    user = _entry(config, "users", text(chosen.get("user"))) if chosen.get("user") else {}
    if not target.get("server"):
        raise KubeconfigError(f"kubeconfig: the cluster of context {name!r} has no server")
    return Connection(
        server=str(target["server"]).rstrip("/"),
        context=name,
        namespace=namespace or text(chosen.get("namespace")),
        authority=_pem(target, "certificate-authority"),
        insecure=target.get("insecure-skip-tls-verify") is True,
        tls_server_name=text(target.get("tls-server-name")),
        proxy=text(target.get("proxy-url")),
        certificate=_pem(user, "client-certificate"),
        key=_pem(user, "client-key"),
        token=text(user.get("token")),
        token_file=text(user.get("tokenFile")),
        username=text(user.get("username")),
        password=text(user.get("password")),
        plugin=user.get("exec"),
    )


def _pem(values: Object, key: str) -> str:
    if data := values.get(f"{key}-data"):
        try:
            return base64.b64decode(data, validate=False).decode()
        except ValueError as error:
            raise KubeconfigError(f"kubeconfig: {key}-data is not base64 of a PEM text") from error
    if path := values.get(key):
        try:
            return Path(path).read_text()
        except OSError as error:
            raise KubeconfigError(f"kubeconfig: {key} {path!r} cannot be read: {error.strerror}") from error
    return ""


def _in_cluster(namespace: str) -> Connection | None:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = SERVICE_ACCOUNT / "token"
    if not host or not token.is_file():
        return None
    own = SERVICE_ACCOUNT / "namespace"
    return Connection(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace or (own.read_text().strip() if own.is_file() else ""),
        authority=(SERVICE_ACCOUNT / "ca.crt").read_text(),
        token_file=str(token),
    )
