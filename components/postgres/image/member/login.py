"""Which slot of the replication credential works at the primary just now."""

import psycopg

from components.postgres.image.member.credentials import Credential, Slot
from components.postgres.image.member.paths import Cluster
from components.postgres.image.member.roles import REPLICATION_PREFIX

TIMEOUT_S = 2


def working_slot(cluster: Cluster, credential: Credential) -> Slot | None:
    """The current slot if its login works at the primary, else the previous one if that does, else None.

    A member moves to a new password only when the primary has it already, so the order in which the members see a
    changed Secret does not matter, and a login that works is never given up for one that does not.
    """
    return next((slot for slot in credential.slots if works(cluster, credential, slot)), None)


def works(cluster: Cluster, credential: Credential, slot: Slot) -> bool:
    """Whether a slot can log in at the primary, wherever that is."""
    hosts = ",".join(cluster.host(member) for member in cluster.members)
    try:
        psycopg.connect(
            host=hosts, port=cluster.postgres_port, user=f"{REPLICATION_PREFIX}_{slot}", dbname="postgres",
            password=credential.passwords[slot], sslmode="require", connect_timeout=TIMEOUT_S,
            target_session_attrs="read-write", application_name="member login test",
        ).close()  # fmt: skip
    except psycopg.OperationalError:
        return False
    return True
