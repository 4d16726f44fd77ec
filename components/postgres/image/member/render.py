"""The part of Patroni's configuration that differs between members: name, address, login of replication. Pure.

Patroni reads a folder of files: the mounted `patroni.yml`, the same for all, then this one. It is written as JSON,
which is YAML too, and lies in memory with mode 0600, because it holds a password.
"""

import json
import os
from pathlib import Path

from components.postgres.image.member.credentials import Credential, Slot
from components.postgres.image.member.paths import Cluster, Paths
from components.postgres.image.member.roles import REPLICATION_PREFIX

PYTHON = "/opt/patroni/bin/python"
PACKAGE = "components.postgres.image.member"


def member_config(cluster: Cluster, name: str, address: str, slot: Slot, credential: Credential | None) -> str:
    """The member's part of the configuration.

    Args:
        cluster: ports.
        name: of the member, that of its pod.
        address: at which other members reach it.
        slot: whose replication role to log in as.
        credential: None leaves the password out. Patroni would otherwise send it in plain text when it makes the role
            at the bootstrap of a cluster.
    """
    login: dict[str, str] = {"username": f"{REPLICATION_PREFIX}_{slot}", "sslmode": "require"}
    if credential is not None:
        login["password"] = credential.passwords[slot]
    guard = f"{PYTHON} -m {PACKAGE}.promote --member {name} --address {address}"
    config = {
        "name": name,
        "restapi": {"connect_address": f"{address}:{cluster.patroni_port}"},
        "postgresql": {
            "connect_address": f"{address}:{cluster.postgres_port}",
            "authentication": {"superuser": {"username": "postgres"}, "replication": login, "rewind": login},
            "pre_promote": guard,
        },
    }
    return json.dumps(config, indent=2)


def config_folder(paths: Paths) -> Path:
    """The folder that Patroni reads."""
    return paths.runtime / "conf"


def member_file(paths: Paths) -> Path:
    """Where the member's part lies; it sorts after the common part, so it wins."""
    return config_folder(paths) / "20-member.yml"


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    scratch = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
    scratch.rename(file)
