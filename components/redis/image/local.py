"""The process of this pod: log in to it over its Unix socket, and describe its state."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from components.redis.image import datadir
from components.redis.image.acl import AGENT_USER
from components.redis.image.configuration import recall
from components.redis.image.resp import CommandError, Connection, Reply, fields, info_fields
from components.redis.image.settings import Settings
from components.redis.image.state import Applied, LastSeen, MemberState, SentinelState

AGENT_KEY = "agent.key"
SENTINEL_FILE = "sentinel.conf"
INFO_SECTIONS = ("persistence", "replication")


def new_agent_key(settings: Settings) -> str:
    """A key for the agent of this pod, made at each start of the process; it never leaves the pod's memory.

    It is not one of the rotated credentials, so an agent cannot lose its way in, however late it comes.
    """
    key = secrets.token_hex(32)
    datadir.write_private(settings.run_dir / AGENT_KEY, key)
    return key


def connect(settings: Settings, *, timeout_s: float = 1.0) -> Connection:
    """Log in to the local process.

    Raises:
        OSError: it does not run, has not started yet, or does not answer.
        CommandError: it refuses the key, as while it restarts with a new one.
    """
    key = (settings.run_dir / AGENT_KEY).read_text()
    return Connection(settings.socket, user=AGENT_USER, password=key, timeout_s=timeout_s)


def sentinel_file(settings: Settings) -> Path:
    """Where a Sentinel keeps its configuration and its memory."""
    return settings.data_dir / SENTINEL_FILE


def member_state(settings: Settings, credentials: Mapping[str, Applied]) -> MemberState:
    """The state of the data node of this pod, whether its process runs or not."""
    has_data, seen = datadir.has_data(settings.data_dir), datadir.last_seen(settings.data_dir)
    try:
        with connect(settings) as redis:
            info = info_fields(redis.command("INFO", *INFO_SECTIONS))
    except (OSError, CommandError):
        return MemberState(has_data=has_data, last_seen=seen)
    return describe_member(info, has_data=has_data, last_seen=seen, credentials=credentials)


def describe_member(
    info: Mapping[str, str], *, has_data: bool, last_seen: LastSeen | None, credentials: Mapping[str, Applied]
) -> MemberState:
    """The state of a running data node, from its `INFO`. Pure."""
    master = info.get("role") == "master"
    return MemberState(
        has_data=has_data,
        last_seen=last_seen,
        credentials=dict(credentials),
        role="master" if master else "replica",
        master=None if master else f"{info.get('master_host', '')}:{info.get('master_port', '')}",
        link_up=info.get("master_link_status") == "up",
        loading=info.get("loading") == "1",
        electable=master or info.get("slave_priority") != "0",
        offset=int(info.get("master_repl_offset" if master else "slave_repl_offset", 0)),
        replicas=sum("state=online" in value for name, value in info.items() if is_replica_line(name)),
    )


def is_replica_line(name: str) -> bool:
    """Whether a field of `INFO` describes one replica: `slave0`, `slave1` ..."""
    return name.startswith("slave") and name.removeprefix("slave").isdecimal()


def sentinel_state(settings: Settings, credentials: Mapping[str, Applied]) -> SentinelState:
    """The state of the Sentinel of this pod, whether its process runs or not."""
    try:
        with connect(settings) as sentinel:
            known = fields(sentinel.command("SENTINEL", "MASTER", settings.master_name))
            address = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings.master_name)
    except (OSError, CommandError):
        return SentinelState(running=False, configured=remembers(settings))
    return describe_sentinel(known, address, credentials)


def describe_sentinel(known: Mapping[str, str], address: Reply, credentials: Mapping[str, Applied]) -> SentinelState:
    """The state of a running Sentinel. Pure.

    During a failover it already gives out the new master's address, once that one has taken over.
    """
    host, port = address if isinstance(address, list) else (None, None)
    return SentinelState(
        running=True,
        configured=True,
        master=f"{host}:{port}" if host else None,
        epoch=int(known.get("config-epoch", 0)),
        failover="failover_in_progress" in known.get("flags", "").split(","),
        credentials=dict(credentials),
    )


def remembers(settings: Settings) -> bool:
    """Whether the Sentinel's volume names a master."""
    try:
        return recall(sentinel_file(settings).read_text(), settings) is not None
    except OSError:
        return False
