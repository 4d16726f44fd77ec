"""The files that the processes start with: the declared part, and what only a starting node knows. Pure."""

import hashlib
from dataclasses import dataclass

from components.redis.image.acl import REPLICA_USER, SENTINEL_USER
from components.redis.image.settings import REDIS_PORT, SENTINEL_PORT, Settings

ACL_FILE = "users.acl"
PRIORITY = 100
# A replica of this priority is never promoted.
NEVER = 0


def member_config(
    declared: str, settings: Settings, *, master: int | None, electable: bool, replication_password: str
) -> str:
    """redis.conf of a data node.

    Args:
        declared: what the stack declares, the same for all nodes.
        settings: this node.
        master: ordinal of the member to follow; None for the master itself.
        electable: whether Sentinel may promote this node; a replica becomes so when it is in step with its master.
        replication_password: what it logs in to a master with.
    """
    lines = [
        declared.rstrip("\n"),
        "# this node",
        *_common(settings, REDIS_PORT),
        f"replica-announce-ip {settings.address}",
        f"replica-announce-port {REDIS_PORT}",
        f"replica-priority {PRIORITY if electable else NEVER}",
        f"masteruser {REPLICA_USER}",
        f"masterauth {replication_password}",
    ]
    if master is not None:
        lines.append(f"replicaof {settings.members[master]} {REDIS_PORT}")
    return "\n".join(lines) + "\n"


def _common(settings: Settings, port: int) -> list[str]:
    return [
        f"port {port}",
        f"bind {settings.pod_ip}",
        f"unixsocket {settings.socket}",
        "unixsocketperm 700",
        f"dir {settings.data_dir}",
        f"aclfile {settings.run_dir / ACL_FILE}",
    ]


@dataclass(frozen=True)
class Memory:
    """What a Sentinel must not forget: whom it watches, the generations that it has seen and voted in, whom it knows.

    Attributes:
        master: address of the watched master.
        lines: further state lines of its file, as they are.
    """

    master: str
    lines: tuple[str, ...]


def recall(previous: str, settings: Settings) -> Memory | None:
    """What a Sentinel's file of the last run says; None if it says nothing of use.

    Addresses that belong to no declared node are left out: a dead Sentinel that is remembered raises the number of
    votes that an election needs. A master of an unknown address is what is left of Services that are gone.
    """
    name, master = settings.master_name, ""
    epochs, others = [], []
    for line in previous.splitlines():
        match line.split():
            case ["sentinel", "monitor", who, address, *_] if who == name:
                master = address
            case ["sentinel", "current-epoch", _]:
                epochs.append(line)
            case ["sentinel", "config-epoch" | "leader-epoch", who, _] if who == name:
                others.append(line)
            case ["sentinel", "known-replica", who, address, *_] if who == name and address in settings.members:
                others.append(line)
            case ["sentinel", "known-sentinel", who, address, *_] if who == name and address in settings.sentinels:
                others.append(line)
    if master not in settings.members:
        return None
    return Memory(master=master, lines=(*epochs, *others))


def sentinel_config(
    declared: str, settings: Settings, memory: Memory, *, data_password: str, sentinel_password: str
) -> str:
    """sentinel.conf: the declared part anew at each start, and the memory of the last run.

    Args:
        declared: what the stack declares: lines of the form `sentinel <option> <master name> <value>`.
        settings: this node.
        memory: whom to watch, and what must not be forgotten.
        data_password: what it logs in to data nodes with.
        sentinel_password: what it logs in to other Sentinels with.
    """
    name = settings.master_name
    lines = [
        *_common(settings, SENTINEL_PORT),
        f"sentinel myid {identity(settings.pod)}",
        f"sentinel announce-ip {settings.address}",
        f"sentinel announce-port {SENTINEL_PORT}",
        "sentinel resolve-hostnames no",
        "sentinel announce-hostnames no",
        "sentinel deny-scripts-reconfig yes",
        f"sentinel sentinel-user {SENTINEL_USER}",
        f"sentinel sentinel-pass {sentinel_password}",
        f"sentinel monitor {name} {memory.master} {REDIS_PORT} {settings.quorum}",
        f"sentinel auth-user {name} {SENTINEL_USER}",
        f"sentinel auth-pass {name} {data_password}",
        declared.rstrip("\n"),
        *memory.lines,
    ]
    return "\n".join(lines) + "\n"


def identity(pod: str) -> str:
    """The id of a Sentinel: 40 hexadecimal digits made of the pod's name.

    A Sentinel that lost its volume comes back as the one that the others know, not as one more.
    """
    return hashlib.sha256(pod.encode()).hexdigest()[:40]
