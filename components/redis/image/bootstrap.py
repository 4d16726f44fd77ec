"""Which role a starting node takes: a function of what the others say, and of nothing else. Pure.

The rules keep three promises. An empty node never becomes a master while somebody may hold data: its replicas would
copy the emptiness. Two nodes never both become a master at the start: whoever cannot prove its right waits. And a
master that crashed gives way to replicas that ran on: its file ends where the last finished write to the disk was, and
under `appendfsync everysec` that can be two seconds before what the replicas had received and clients were told. One
that was stopped as planned, with its writes paused, has everything and need not.

Time alone proves nothing. It only ends two waits of a master that has its data: for Sentinels that contradict a running
master (`CONTRADICTION_S`), and for a failover that does not come, as when they know no replica yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from components.redis.image.state import MemberState, SentinelState

CONTRADICTION_S = 10.0
# Electing a Sentinel and promoting a replica, beside the time that detection takes, with room.
PROMOTION_S = 6.0
# Nodes that were part of the whole this close to each other went down together; twice the agents' note period and more.
SAME_MOMENT_S = 15


@dataclass(frozen=True)
class Lead:
    """Start as the master."""

    why: str


@dataclass(frozen=True)
class Follow:
    """Start as a replica of the member with this ordinal."""

    master: int
    why: str


@dataclass(frozen=True)
class Wait:
    """Do not start yet; ask again."""

    why: str


Decision = Lead | Follow | Wait


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What a starting node sees of the others.

    Attributes:
        members: how many data nodes there are.
        sentinels: how many Sentinels there are.
        peers: the other data nodes that answered, by ordinal.
        watchers: the Sentinels that answered, by ordinal.
        addresses: `host:port` of a data node to its ordinal.
        down_after_s: silence after which a Sentinel holds the master for down.
    """

    members: int
    sentinels: int
    peers: Mapping[int, MemberState]
    watchers: Mapping[int, SentinelState]
    addresses: Mapping[str, int]
    down_after_s: float

    def known_master(self) -> int | None:
        """The member that the Sentinels hold for the master, by the newest of their answers.

        An address that belongs to no member is what is left of Services that are gone: nobody knows it.
        """
        known = [w for w in self.watchers.values() if w.running and w.master in self.addresses]
        newest = max(known, key=lambda w: w.epoch, default=None)
        return None if newest is None or newest.master is None else self.addresses[newest.master]

    def running_master(self) -> int | None:
        """The peer that runs as a master; of several the one with the most replicas, then with the most history."""
        masters = {n: peer for n, peer in self.peers.items() if peer.role == "master"}
        return max(masters, key=lambda n: (masters[n].replicas, masters[n].offset, -n), default=None)


def decide(me: int, mine: MemberState, whole: Whole, *, waited_s: float) -> Decision:
    """The role of data node `me`, whose process is not running and whose files are described by `mine`."""
    conclusive = [w for w in whole.watchers.values() if w.conclusive]
    if len(conclusive) <= whole.sentinels // 2:
        return Wait(f"{len(conclusive)} of {whole.sentinels} Sentinels answer, more than half must")
    if any(watcher.failover for watcher in conclusive):
        return Wait("the Sentinels are replacing the master")
    known = whole.known_master()
    if known is None:
        return _unknown(me, mine, whole)
    if known != me:
        return Follow(known, "the Sentinels say so")
    return _named(me, mine, whole, waited_s)


def _named(me: int, mine: MemberState, whole: Whole, waited_s: float) -> Decision:
    """The Sentinels name this node."""
    rival = whole.running_master()
    if rival is not None and waited_s < CONTRADICTION_S:
        return Wait(f"the Sentinels name this node, but member {rival} runs as a master")
    ran_on = sorted(n for n, peer in whole.peers.items() if peer.ran_on)
    if mine.has_data and not mine.stopped_whole and ran_on and waited_s < whole.down_after_s + PROMOTION_S:
        return Wait(f"member {ran_on[0]} ran on and may have more than this node's files: it is to be promoted")
    if mine.has_data:
        return Lead("the Sentinels name this node and it has its data")
    if rich := sorted(n for n, peer in whole.peers.items() if peer.has_data):
        return Wait(f"this node is empty and member {rich[0]} has data: the Sentinels must fail over first")
    if len(whole.peers) < whole.members - 1:
        return Wait("this node is empty and not every other member has said that it is empty too")
    return Lead("the Sentinels name this node and no member has data")


def _unknown(me: int, mine: MemberState, whole: Whole) -> Decision:
    """No Sentinel knows a master: the first start ever, or the Sentinels lost their volumes."""
    running = whole.running_master()
    if running is not None:
        return Follow(running, "it runs as the master")
    if missing := sorted(set(range(whole.members)) - set(whole.peers) - {me}):
        return Wait(f"no Sentinel knows a master and member {missing[0]} does not answer")
    followed = {whole.addresses.get(p.master or "") for p in whole.peers.values() if p.role == "replica"} - {None}
    if followed == {me} and mine.has_data:
        # no Sentinel can promote one of them, so this node's files are the best there is
        return Lead("every running replica follows this node and it has its data")
    if followed:
        return Wait("replicas wait for a master that is gone: delete their pods, so that all choose one together")
    chosen = heir({**whole.peers, me: mine})
    if chosen == me:
        return Lead("no Sentinel knows a master and this node has the best claim")
    return Wait(f"no Sentinel knows a master and member {chosen} has the better claim")


def heir(members: Mapping[int, MemberState]) -> int:
    """Who leads when all are down and nobody remembers: a function on which all members agree.

    Of those with data: whoever was part of the whole last; of those that went down together the master, then the one
    furthest in the stream, then the lowest ordinal. With no data anywhere, the lowest ordinal.
    """
    rich = {n: member for n, member in members.items() if member.has_data}
    if not rich:
        return min(members)
    latest = max((m.last_seen.at for m in rich.values() if m.last_seen), default=0)

    def claim(ordinal: int) -> tuple[bool, bool, int, int]:
        seen = rich[ordinal].last_seen
        if seen is None:
            return False, False, 0, -ordinal
        return seen.at >= latest - SAME_MOMENT_S, seen.role == "master", seen.offset, -ordinal

    return max(rich, key=claim)


def watched_master(whole: Whole) -> int | None:
    """Whom a Sentinel without memory watches: the master that another one knows, else the one that runs."""
    known = whole.known_master()
    return whole.running_master() if known is None else known
