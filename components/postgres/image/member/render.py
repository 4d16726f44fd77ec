"""The part of Patroni's configuration that differs between members: name, address, login of replication.

Patroni reads a folder of files: the mounted `patroni.yml`, the same for all, then this one. It is written as JSON,
which is YAML too. Passwords are not in it: with them Patroni would make its role in plain text at the bootstrap of a
cluster. They lie in memory in a password file of libpq, which all programs of the pod find by $PGPASSFILE.
"""

import json
import os
from pathlib import Path

from components.postgres.image.member.credentials import SLOTS, Credential, Slot
from components.postgres.image.member.paths import Cluster, Paths
from components.postgres.image.member.roles import REPLICATION_PREFIX

PYTHON = "/opt/patroni/bin/python"
PACKAGE = "components.postgres.image.member"


def member_config(cluster: Cluster, name: str, address: str, slot: Slot) -> str:
    """The member's part of the configuration.

    Args:
        cluster: ports.
        name: of the member, that of its pod.
        address: at which other members reach it.
        slot: whose replication role to log in as.
    """
    login = {"username": f"{REPLICATION_PREFIX}_{slot}", "sslmode": "require"}
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


def password_lines(credential: Credential) -> str:
    """The password file: both slots of the replication credential, for any host and database."""
    return "".join(f"*:*:*:{REPLICATION_PREFIX}_{slot}:{credential.passwords[slot]}\n" for slot in SLOTS)


def password_file(paths: Paths) -> Path:
    """Where the password file lies; the image's $PGPASSFILE."""
    return paths.runtime / "pgpass"


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
