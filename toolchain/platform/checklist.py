"""`make secrets-check`: every secret a stack needs, where it is set, whether it is, and the command that sets it.

Reads the committed files alone: no cluster, no backend, no passphrase. That a value is encrypted is all it looks at.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import yaml

from components.credentials.args import KINDS
from components.credentials.registry import RegistryLogin
from stacks.secrets import (
    BROKER_KEYS,
    DEFAULT_TLS_SECRET,
    LOGIN_KEYS,
    PASSPHRASE_KEY,
    SECRET_KEYS,
    STORE_KEYS,
    reasons,
    set_command,
    tls_keeper,
)
from toolchain.kit.console import result
from toolchain.platform.stack import config_file
from toolchain.render.stackfile import StackFile, read

State = Literal[
    "encrypted", "missing", "plain text", "not needed", "generated",
    "kept by others", "cert-manager", "set", "not in file",
]  # fmt: skip
WRONG: tuple[State, ...] = ("missing", "plain text")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One secret; never its value.

    Attributes:
        name: key of the configuration, or what it is.
        state: one of `State`; those in `WRONG` keep the stack from coming up.
        where: file, or place, that holds it.
        needed_for: why the stack needs it.
        command: the exact command that sets it; empty where there is nothing to set.
    """

    name: str
    state: State
    where: str
    needed_for: str
    command: str = ""


def secrets_check(stack: str, *, as_json: bool = False) -> int:
    """List every secret the stack needs, whether it is set, and how; exit 1 when one is missing or in plain text."""
    file = config_file(stack)
    top = yaml.safe_load(file.read_text())
    rows = checklist(stack, read(stack), {key: value for key, value in top.items() if key != "config"})
    result(json.dumps([asdict(row) for row in rows], indent=2) if as_json else table(stack, rows))
    return 1 if any(row.state in WRONG for row in rows) else 0


def checklist(stack: str, file: StackFile, settings: Mapping[str, object]) -> list[Row]:
    """The rows, in the order in which one would set them.

    Args:
        stack: name of the stack.
        file: its configuration.
        settings: what stands beside `config` in its file: how secrets are encrypted.
    """
    where = f"Pulumi.{stack}.yaml"
    needed = reasons(file.values)
    rows = [_encryption(stack, where, settings)]
    for key in SECRET_KEYS:
        value = file.values.get(key)
        state: State = "encrypted" if key in file.encrypted else "plain text" if value else "missing"
        if state == "missing" and key not in needed:
            state = "not needed"
        purpose = needed.get(key) or _idle(key, file.values)
        rows.append(Row(name=key, state=state, where=where, needed_for=purpose, command=set_command(key, stack)))
    return [*rows, *_certificate(file.values), _generated(file.values)]


def _encryption(stack: str, where: str, settings: Mapping[str, object]) -> Row:
    """What encrypts the others. Pulumi Cloud's own provider leaves no trace in the file, so none is no mistake."""
    provider = str(settings.get("secretsprovider", "")).partition(":")[0]
    if not provider and "encryptionsalt" in settings:
        provider = "passphrase"
    return Row(
        name="secrets provider",
        state="set" if provider else "not in file",
        where=where,
        needed_for=f"{provider} encrypts the others" if provider else "made by stack init; Pulumi Cloud needs no entry",
        command="" if provider else f"pulumi stack init {stack}",
    )


def _idle(key: str, values: Mapping[str, object]) -> str:
    """Why a secret need not be set."""
    if key in LOGIN_KEYS:
        return "images are local"
    if key in STORE_KEYS:
        return "backups go to no S3 store"
    if key in BROKER_KEYS:
        return "orders stay on paper, or others keep the broker's keys"
    if key == PASSPHRASE_KEY:
        return "one is made; set it to go on with a repository that is there already"
    return _other_keeper(values)


def _other_keeper(values: Mapping[str, object]) -> str:
    keeper = tls_keeper(values.get("ingress"))
    return "there is no Ingress" if keeper == "nobody" else f"the certificate is kept by {keeper}"


def _certificate(values: Mapping[str, object]) -> list[Row]:
    """The Secret of the Ingress, where it is not the stack's."""
    section = values.get("ingress")
    keeper = tls_keeper(section)
    if keeper not in ("cert-manager", "others") or not isinstance(section, Mapping):
        return []
    namespace, name = values["namespace"], section.get("tls_secret") or DEFAULT_TLS_SECRET
    by_hand = f"kubectl -n {namespace} create secret tls {name} --cert=certificate.pem --key=key.pem"
    return [
        Row(
            name=f"Secret {name}",
            state="cert-manager" if keeper == "cert-manager" else "kept by others",
            where=f"namespace {namespace}",
            needed_for=f"TLS of https://{section.get('host')}",
            command="" if keeper == "cert-manager" else by_hand,
        )
    ]


def _generated(values: Mapping[str, object]) -> Row:
    return Row(
        name=f"{len(KINDS)} passwords",
        state="generated",
        where="state of the stack",
        needed_for="PostgreSQL, Redis and the API; nobody sets them, epochs rotate them",
    )


def table(stack: str, rows: list[Row]) -> str:
    """For a person: two lines a row, the second one the command."""
    lines = [f"Secrets of stack {stack} (pods pull with Secret {RegistryLogin.secret_name!r}, made of the login):", ""]
    for row in rows:
        state = row.state.upper() if row.state in WRONG else row.state
        lines.append(f"  {row.name:24} {state:14} {row.where}: {row.needed_for}")
        if row.command and row.state != "not needed":
            lines.append(f"  {'':24} {'':14} {row.command}")
    wrong = [row.name for row in rows if row.state in WRONG]
    return "\n".join([*lines, "", f"  to be set: {', '.join(wrong)}" if wrong else "  nothing is missing"])
