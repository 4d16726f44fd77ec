"""Before a planned stop: give the master role away, with every acknowledged write, and only then let the stop go on.

Sentinel alone turns a master that it replaced into a replica some ten seconds later, and whatever clients wrote to it
until then is lost. So writes are paused first, the replicas catch up, Sentinel fails over, and this node follows the
new master at once; writes that waited meanwhile are refused, not lost: their clients see a closed connection and retry.
"""

import logging
import time
from collections.abc import Callable, Mapping

from components.redis.image import local, peers
from components.redis.image.acl import ADMIN_USER
from components.redis.image.credentials import ADMIN, MEMBER_KINDS, Credential, read_all
from components.redis.image.resp import CommandError, Connection, Reply, info_fields
from components.redis.image.settings import REDIS_PORT, SENTINEL_PORT, Settings

BUDGET_S = 20.0
CATCH_UP_S = 3.0
SETTLE_S = 8.0
POLL_S = 0.1
# Sentinels that are all gone for this long are being stopped too: the whole platform goes down.
ALONE_S = 3.0
log = logging.getLogger("handover")


class NotDone(Exception):
    """The role could not be given away; the text says why."""


def run(settings: Settings) -> None:
    """Give the master role away if this node has it; without success the node stops as the master that it is.

    redis-server then waits itself for its replicas before it ends, and comes back as the master with its own data.
    """
    try:
        with local.connect(settings) as redis:
            if info_fields(redis.command("INFO", "replication")).get("role") != "master":
                log.info("a replica: nothing to hand over")
                return
            begin = time.monotonic()
            hand_over(redis, settings)
            log.info("handed over in %.1f s", time.monotonic() - begin)
    except (NotDone, OSError, CommandError) as error:
        log.warning("not handed over: %s", error)


def hand_over(redis: Connection, settings: Settings) -> None:
    """Pause, catch up, fail over, follow, release.

    Raises:
        NotDone: no replica, no Sentinel, or not within `BUDGET_S`.
    """
    deadline = time.monotonic() + BUDGET_S
    redis.command("CLIENT", "PAUSE", str(int(BUDGET_S * 1000)), "WRITE")
    try:
        if not poll(lambda: caught_up(info_fields(redis.command("INFO", "replication"))), CATCH_UP_S):
            raise NotDone(f"no replica has caught up within {CATCH_UP_S:.0f} s")
        credential = read_all(settings.credentials_dir, MEMBER_KINDS)[ADMIN]
        master = fail_over(settings, credential, deadline)
        redis.command("REPLICAOF", master, str(REDIS_PORT))
    finally:
        redis.command("CLIENT", "UNPAUSE")
    redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    if not poll(lambda: settled(settings, master), SETTLE_S):
        log.info("%s leads, but has no replica besides this node yet", master)


def caught_up(info: Mapping[str, str]) -> bool:
    """Whether a replica has all that the paused master has, and no other one lags. Pure."""
    replicas = [
        dict(pair.split("=", 1) for pair in value.split(","))
        for name, value in info.items()
        if local.is_replica_line(name)
    ]
    online = [replica for replica in replicas if replica.get("state") == "online"]
    return bool(online) and all(replica["offset"] == info["master_repl_offset"] for replica in online)


def fail_over(settings: Settings, credential: Credential, deadline: float) -> str:
    """Have the Sentinels replace this master; returns the address of the new one."""
    asked, answered_at = False, time.monotonic()
    while time.monotonic() < deadline:
        for address in settings.sentinels:
            try:
                with admin((address, SENTINEL_PORT), credential) as sentinel:
                    answered_at = time.monotonic()
                    now = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings.master_name)
                    if (master := host(now)) != settings.address:
                        return master
                    asked = asked or accepted(sentinel, settings.master_name)
            except (OSError, CommandError) as error:
                log.debug("%s: %s", address, error)
        if time.monotonic() - answered_at > ALONE_S:
            raise NotDone("no Sentinel answers")
        time.sleep(POLL_S)
    raise NotDone(f"no new master within {BUDGET_S:.0f} s")


def accepted(sentinel: Connection, master_name: str) -> bool:
    """Ask for a failover; whether one is under way now."""
    try:
        sentinel.command("SENTINEL", "FAILOVER", master_name)
    except CommandError as error:
        if error.code != "INPROG":
            log.info("not yet: %s", error)
            return False
    return True


def settled(settings: Settings, master: str) -> bool:
    """Whether the new master has a replica besides this node; without one it refuses writes once this node is gone."""
    state = peers.look(settings).peers.get(settings.members.index(master))
    return state is not None and state.role == "master" and state.replicas >= min(2, len(settings.members) - 1)


def admin(address: tuple[str, int], credential: Credential) -> Connection:
    """Log in as the administrator, with the current password or, where that has not arrived yet, the previous one."""
    try:
        return Connection(address, user=ADMIN_USER, password=credential.current_password)
    except CommandError:
        return Connection(address, user=ADMIN_USER, password=credential.previous_password)


def host(reply: Reply) -> str:
    """The host in the reply of `GET-MASTER-ADDR-BY-NAME`. Pure.

    Raises:
        NotDone: the Sentinel does not know the master.
    """
    if isinstance(reply, list) and reply:
        return str(reply[0])
    raise NotDone("a Sentinel does not know the master")


def poll(condition: Callable[[], bool], budget_s: float) -> bool:
    """Whether a condition comes true within `budget_s` seconds."""
    deadline = time.monotonic() + budget_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
