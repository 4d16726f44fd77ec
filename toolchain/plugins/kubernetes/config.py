"""The provider's own configuration: what the program sets, what the environment adds, and when a change replaces it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolchain.plugins.kubernetes import kubeconfig
from toolchain.plugins.kubernetes.immutable import Mutable
from toolchain.plugins.kubernetes.kubeconfig import KubeconfigError
from toolchain.plugins.values import UNKNOWN, has_unknown, unwrap

DEFAULT_QPS: Final = 50.0
DEFAULT_BURST: Final = 120
CLUSTER_KEYS: Final = ("kubeconfig", "context", "cluster")
IDENTIFIER: Final = "clusterIdentifier"
UNSUPPORTED: Final = {
    "renderYamlToDirectory": "not supported by this provider; use the official kubernetes plugin, or `make render`",
}

NOTHING_MUTABLE: Final = Mutable(config_map=False, secret=False)

FLAGS: Final = {
    "deleteUnreachable": ("PULUMI_K8S_DELETE_UNREACHABLE", False),
    "skipUpdateUnreachable": ("PULUMI_K8S_SKIP_UPDATE_UNREACHABLE", False),
    "enableServerSideApply": ("PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", True),
    "enableConfigMapMutable": ("PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE", False),
    "enableSecretMutable": ("PULUMI_K8S_ENABLE_SECRET_MUTABLE", False),
    "enablePatchForce": ("PULUMI_K8S_ENABLE_PATCH_FORCE", False),
    "upsertExistingObjects": ("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", False),
    "suppressDeprecationWarnings": ("PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS", False),
}
"""Property to the variable that stands in for it, and the default."""


class ConfigError(Exception):
    """A setting that cannot be used: one line that names it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration in force."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    server_side_apply: bool = True
    patch_force: bool = False
    upsert: bool = False
    suppress_deprecation_warnings: bool = False
    mutable: Mutable = NOTHING_MUTABLE
    qps: float = DEFAULT_QPS
    burst: int = DEFAULT_BURST
    timeout_s: float | None = None


def read(properties: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration that the provider's properties and the environment make; the properties win.

    Raises ConfigError for a number that is none.
    """
    given = unwrap(dict(properties))

    def flag(name: str) -> bool:
        variable, default = FLAGS[name]
        value = given.get(name, environment.get(variable))
        return default if value in (None, "") else str(value).lower() == "true"

    def word(name: str) -> str:
        value = given.get(name)
        if isinstance(value, dict):  # a kubeconfig may be given as an object
            return json.dumps(value)
        return value if isinstance(value, str) else ""

    settings = given.get("kubeClientSettings") or {}
    if isinstance(settings, str):
        settings = json.loads(settings)

    def number(name: str, variable: str, default: float | None) -> float | None:
        value = settings.get(name, environment.get(variable))
        try:
            return default if value in (None, "") else float(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"kubeClientSettings.{name} = {value!r}: not a number; also read from {variable}"
            ) from error

    return Config(
        kubeconfig=word("kubeconfig"),
        context=word("context"),
        cluster=word("cluster"),
        namespace=word("namespace"),
        delete_unreachable=flag("deleteUnreachable"),
        skip_update_unreachable=flag("skipUpdateUnreachable"),
        server_side_apply=flag("enableServerSideApply"),
        patch_force=flag("enablePatchForce"),
        upsert=flag("upsertExistingObjects"),
        suppress_deprecation_warnings=flag("suppressDeprecationWarnings"),
        mutable=Mutable(flag("enableConfigMapMutable"), flag("enableSecretMutable")),
        qps=number("qps", "PULUMI_K8S_CLIENT_QPS", DEFAULT_QPS) or 0.0,
        burst=int(number("burst", "PULUMI_K8S_CLIENT_BURST", DEFAULT_BURST) or 1),
        timeout_s=number("timeout", "PULUMI_K8S_CLIENT_TIMEOUT", None),
    )


def failures(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the properties, as (property, reason)."""
    given = unwrap(dict(properties))
    found = [(name, reason) for name, reason in UNSUPPORTED.items() if given.get(name) not in (None, "")]
    if given.get("strictMode") in (True, "true"):
        found += [
            (name, f'strict mode requires Provider "{name}" argument')
            for name in ("kubeconfig", "context")
            if not given.get(name)
        ]
    try:
        if not has_unknown(given):
            read(given, {})
    except (ConfigError, ValueError) as error:
        found.append(("kubeClientSettings", str(error)))
    return found


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The properties that differ, and those of them that replace the provider, which means: another cluster.

    With `clusterIdentifier` set before and now, it alone decides.
    """
    old, new = unwrap(dict(old)), unwrap(dict(new))
    differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    before, now = old.get(IDENTIFIER), new.get(IDENTIFIER)
    if before and now:
        return differing, [IDENTIFIER] if before != now else []
    unknown: list[str] = [key for key in CLUSTER_KEYS if new.get(key) is UNKNOWN]
    if unknown:
        return differing, unknown
    touched: list[str] = [key for key in CLUSTER_KEYS if key in differing]
    if not touched:
        return differing, []
    one, other = _active(old), _active(new)
    return differing, touched if one is not None and other is not None and one != other else []


def _active(properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
    config = read(properties, {})
    try:
        loaded = kubeconfig.load(config.kubeconfig)
    except KubeconfigError:
        return None
    return kubeconfig.active_cluster(loaded, config.context, config.cluster)
