"""Before a planned stop: give the master role away, with every acknowledged write, and only then let the stop go on.

Sentinel alone turns a master that it replaced into a replica some ten seconds later, and whatever clients wrote to it
until then is lost. So writes are paused first, the replicas catch up, Sentinel fails over, and this node follows the
new master at once; writes that waited meanwhile are refused, not lost: their clients see a closed connection and retry.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from components.redis.image import datadir, local, peers
from components.redis.image.acl import ADMIN_USER
from components.redis.image.credentials import ADMIN, MEMBER_KINDS, Credential, read_all
from components.redis.image.resp import CommandError, Connection, Reply, fields, info_fields
from components.redis.image.settings import REDIS_PORT, SENTINEL_PORT, Settings

KNOWN_S = 12.0
BUDGET_S = 20.0
# Until the process has been told to end, and longer.
PAUSE_S = 60.0
CATCH_UP_S = 5.0
SETTLE_S = 8.0
POLL_S = 0.1
# Sentinels that are all gone for this long are being stopped too: the whole platform goes down.
ALONE_S = 3.0
# flags of a replica that a Sentinel does not choose
DOWN = frozenset({"s_down", "o_down", "disconnected"})
log = logging.getLogger("handover")


class NotDone(Exception):
    """The role could not be given away; the text says why."""


def run(settings: Settings) -> None:
    """Give the master role away if this node has it; without success the node stops as the master that it is.

    Its writes then stay paused, so that its files will have all that was acknowledged, and a mark says so: it need not
    give way to a replica when it comes back.
    """
    try:
        with local.connect(settings) as redis:
            if info_fields(redis.command("INFO", "replication")).get("role") != "master":
                log.info("a replica: nothing to hand over")
                return
            begin = time.monotonic()
            hand_over(redis, settings)
            log.info("handed over in %.1f s", time.monotonic() - begin)
    except NotDone as error:
        datadir.stop_whole(settings.data_dir)
        log.warning("not handed over, to be stopped as the master with its writes paused: %s", error)
    except (OSError, CommandError) as error:
        log.warning("not handed over: %s", error)


def hand_over(redis: Connection, settings: Settings) -> None:
    """Wait for somebody to hand over to, pause writes, fail over, follow, release.

    Raises:
        NotDone: no replica, no Sentinel, or not within `BUDGET_S`; writes are still paused.
    """
    credential = read_all(settings.credentials_dir, MEMBER_KINDS)[ADMIN]
    # a Sentinel may learn only after ten seconds that a replica which was just updated can lead
    poll(lambda: replicas_known(settings, credential) != [], KNOWN_S)
    redis.command("CLIENT", "PAUSE", str(int(PAUSE_S * 1000)), "WRITE")
    master = fail_over(redis, settings, credential)
    redis.command("REPLICAOF", master, str(REDIS_PORT))
    redis.command("CLIENT", "UNPAUSE")
    redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    if not poll(lambda: settled(settings, master), SETTLE_S):
        log.info("%s leads, but has no replica besides this node yet", master)


def fail_over(redis: Connection, settings: Settings, credential: Credential) -> str:
    """Have the Sentinels replace this paused master; returns the address of the new one.

    It is the newest knowledge among the Sentinels that counts, and only once that member says itself that it leads: a
    Sentinel that missed the last failover still names the master before this one.
    """
    begin = answered_at = time.monotonic()
    asked, why = False, "no Sentinel answers"
    while (now := time.monotonic()) < begin + BUDGET_S:
        whole = peers.look(settings)
        known = whole.known_master()
        if known is not None and known in whole.peers and whole.peers[known].role == "master":
            return settings.members[known]
        answered_at = now if whole.watchers else answered_at
        if not asked:
            why = ask(redis, settings, credential, whole.watchers)
            asked = not why
        if now > answered_at + ALONE_S or (not asked and now > begin + CATCH_UP_S):
            raise NotDone(why or "no Sentinel answers any more")
        time.sleep(POLL_S)
    raise NotDone(f"no new master within {BUDGET_S:.0f} s")


def replicas_known(settings: Settings, credential: Credential) -> list[str] | None:
    """Addresses that a Sentinel may choose, by the first one that answers; None if none does."""
    for address in settings.sentinels:
        try:
            with admin((address, SENTINEL_PORT), credential) as sentinel:
                return electable(sentinel.command("SENTINEL", "REPLICAS", settings.master_name))
        except (OSError, CommandError) as error:
            log.debug("%s: %s", address, error)
    return None


def ask(redis: Connection, settings: Settings, credential: Credential, watchers: Iterable[int]) -> str:
    """Ask one of the Sentinels for a failover, if whomever it may choose has everything; the text says why not."""
    why = "no Sentinel answers"
    for ordinal in watchers:
        try:
            with admin((settings.sentinels[ordinal], SENTINEL_PORT), credential) as sentinel:
                replicas = sentinel.command("SENTINEL", "REPLICAS", settings.master_name)
                if why := behind(replicas, info_fields(redis.command("INFO", "replication"))):
                    continue
                sentinel.command("SENTINEL", "FAILOVER", settings.master_name)
                return ""
        except (OSError, CommandError) as error:
            if isinstance(error, CommandError) and error.code == "INPROG":
                return ""
            why = str(error)
    return why


def behind(replicas: Reply, info: Mapping[str, str]) -> str:
    """Why a failover now could lose writes; empty if it cannot. Pure.

    A Sentinel asks replicas for their place every ten seconds only, and may choose one whose link broke since. So every
    one that it may choose must have all that the paused master has.

    Args:
        replicas: reply of `SENTINEL REPLICAS`.
        info: fields of the master's `INFO replication`.
    """
    lines = [value for name, value in info.items() if local.is_replica_line(name)]
    seen = [dict(pair.split("=", 1) for pair in line.split(",")) for line in lines]
    whole = {r["ip"] for r in seen if r["state"] == "online" and r["offset"] == info["master_repl_offset"]}
    chosen_from = electable(replicas)
    if not chosen_from:
        return "the Sentinels know no replica that can lead"
    late = [address for address in chosen_from if address not in whole]
    return f"replica {late[0]} has not caught up" if late else ""


def electable(replicas: Reply) -> list[str]:
    """Addresses of the replicas that a Sentinel may choose, from its reply of `SENTINEL REPLICAS`. Pure."""
    known = [fields(replica) for replica in replicas] if isinstance(replicas, list) else []
    return [r["ip"] for r in known if not DOWN & set(r["flags"].split(",")) and r["slave-priority"] != "0"]


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


def poll(condition: Callable[[], bool], budget_s: float) -> bool:
    """Whether a condition comes true within `budget_s` seconds."""
    deadline = time.monotonic() + budget_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
