"""Which secrets a stack needs from its user, and whether they are set as they should be. Pure.

Works on the raw configuration, so that a checklist needs neither a passphrase nor a cluster.
"""

from collections.abc import Collection, Mapping
from typing import Literal

from components.kit.errors import NOT_SET, Problem

LOGIN_KEYS = ("registryUsername", "registryPassword")
TLS_KEYS = ("tlsCertificate", "tlsKey")
STORE_KEYS = ("backupS3Key", "backupS3KeySecret")
BROKER_KEYS = ("brokerApiKey", "brokerApiSecret", "brokerAccessToken")
PASSPHRASE_KEY = "backupPassphrase"  # noqa: S105  a name
SECRET_KEYS = (*LOGIN_KEYS, *TLS_KEYS, *STORE_KEYS, PASSPHRASE_KEY, *BROKER_KEYS)
LOCAL_REGISTRIES = ("localhost", "127.0.0.1")
DEFAULT_REGISTRY = "localhost/trading-platform"
DEFAULT_TLS_SECRET = "trading-api-tls"  # noqa: S105  a name
ISSUERS = ("cert-manager.io/cluster-issuer", "cert-manager.io/issuer")

TlsKeeper = Literal["nobody", "stack", "cert-manager", "others"]


def asks_for_login(registry: str) -> bool:
    """Whether images come from a registry elsewhere, which then needs a pull secret."""
    return registry_host(registry).partition(":")[0] not in LOCAL_REGISTRIES


def registry_host(registry: str) -> str:
    """The host name, with port if it has one, of an image prefix."""
    return registry.partition("/")[0]


def tls_keeper(ingress: object) -> TlsKeeper:
    """Who keeps the Secret with the certificate of the Ingress, from the section `ingress` of the configuration.

    cert-manager where an annotation names an issuer; others where `tls_secret` names a Secret that is not the stack's;
    else the stack makes it from `tlsCertificate` and `tlsKey`. Nobody where there is no Ingress.
    """
    if not isinstance(ingress, Mapping) or not ingress:
        return "nobody"
    annotations = ingress.get("annotations")
    if isinstance(annotations, Mapping) and any(issuer in annotations for issuer in ISSUERS):
        return "cert-manager"
    return "others" if ingress.get("tls_secret") else "stack"


def makes_broker_keys(broker: object) -> bool:
    """Whether the stack makes the Secret of a broker's keys, from the section `broker` of the configuration."""
    return isinstance(broker, Mapping) and broker.get("kind") not in (None, "paper") and not broker.get("secret_name")


def reasons(raw: Mapping[str, object]) -> dict[str, str]:
    """Key of each secret that the stack needs to why it does."""
    registry = str(raw.get("registry") or DEFAULT_REGISTRY)
    needed: dict[str, str] = {}
    if asks_for_login(registry):
        needed |= dict.fromkeys(LOGIN_KEYS, f"registry {registry!r} asks for a login")
    if tls_keeper(raw.get("ingress")) == "stack":
        needed |= dict.fromkeys(TLS_KEYS, "the Ingress needs a certificate, and names no issuer and no tls_secret")
    backup = raw.get("backup")
    if isinstance(backup, Mapping) and backup.get("repository") == "s3":
        needed |= dict.fromkeys(STORE_KEYS, "backups go to an S3 store, which asks for a key")
    broker = raw.get("broker")
    if makes_broker_keys(broker) and isinstance(broker, Mapping) and broker["kind"] == "http":
        needed |= dict.fromkeys(BROKER_KEYS, "broker.kind 'http' asks for it, and broker.secret_name names no Secret")
    return needed


def set_command(key: str, stack: str) -> str:
    """The command that sets a secret without showing it: it asks, or reads a file."""
    file = {"tlsCertificate": " < certificate.pem", "tlsKey": " < key.pem"}.get(key, "")
    return f"pulumi config set --secret {key} --stack {stack}{file}"


def secret_problems(stack: str, raw: Mapping[str, object], secret_keys: Collection[str]) -> list[Problem]:
    """Secrets that are missing, or that stand in the file in plain text."""
    needed = reasons(raw)
    found = []
    for key in SECRET_KEYS:
        command = set_command(key, stack)
        if raw.get(key):
            if key not in secret_keys:
                rule = "must be encrypted, it stands in plain text"
                found.append(Problem(key, "[plain text]", rule, f"change it at its issuer, then run: {command}"))
        elif key in needed:
            found.append(Problem(key, NOT_SET, needed[key], f"run: {command}"))
    return found
