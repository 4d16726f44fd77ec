"""Runs beside Patroni in its container: a standby says when it is cut off, a primary that is stranded yields.

See `stranded` for why and when. It ends its server and its Patroni, process 1; the kubelet starts the container again,
and the member follows whoever leads by then. Whatever fails here is no reason to yield.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psycopg

from components.postgres.image.member import server, stranded
from components.postgres.image.member.marks import Marks
from components.postgres.image.member.paths import Cluster, Paths, load_cluster
from components.postgres.image.member.peers import Answers, Peers, ask_one, get_json
from components.postgres.image.member.pods import Pods
from components.postgres.image.member.stranded import Complaint

ANNOTATION = "trading/stranded"
PERIOD_S = 1.0
COMPLAINING_S = 0.25  # a primary may yield at any moment then, and writers wait; a look takes a second by itself
PATIENCE = 3  # looks in a row that must find the same before it counts: a failover or a restart is over by then
PATRONI = 1
CLAIM_S = 20.0  # Patroni answers when the promotion is through
FOLLOWERS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state <> 'async'"
STREAMS = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"


class Watch:
    """What one member has seen so far."""

    def __init__(self, paths: Paths, cluster: Cluster, member: str, address: str, pods: Pods) -> None:
        self._paths = paths
        self._cluster = cluster
        self._member = member
        self._address = address
        self._pods = pods
        self._beat = 0
        self._alone = 0
        self._missed: str | None = None
        self._said = True  # by a predecessor, perhaps: what it left is taken back
        self._before: dict[str, Complaint] | None = None

    @property
    def complaining(self) -> bool:
        """Whether this member misses a primary."""
        return self._missed is not None

    def look(self) -> str | None:
        """One look: says what a standby has to say; returns why this member must yield, None when it must not.

        Raises:
            psycopg.Error: the server does not answer.
            OSError, ValueError: Patroni or the Kubernetes API does not.
        """
        before, self._before = self._before, None  # a look that fails leaves nothing to compare with
        with server.connect(self._paths.sockets, self._cluster.postgres_port) as connection:
            primary = server.observe(connection).kind == "primary"
            row = connection.execute(FOLLOWERS if primary else STREAMS).fetchone()
        joined = bool(row and row[0])
        self._alone = 0 if joined else self._alone + 1
        if primary:
            self._missed = None
            self._complain(None)
            return None if joined else self._judge(before)
        if self._alone < PATIENCE:
            self._missed = None
        self._complain(self._complaint() if self._alone >= PATIENCE else None)
        return None

    def _judge(self, before: Mapping[str, Complaint] | None) -> str | None:
        """Whether a primary without followers must yield."""
        others = [name for name in self._cluster.members if name != self._member]
        texts = self._pods.read(others)
        now = {name: said for name, text in texts.items() if (said := stranded.decode(text))}
        renewed, self._before = stranded.alive(before, now), now
        if self._alone < PATIENCE:
            return None
        count, acks = len(self._cluster.members), self._cluster.acks
        return stranded.stranded(self._member, renewed, members=count, acks=acks)

    def _complaint(self) -> Complaint | None:
        """What a standby that does not stream has to say; one whose primary has yielded stands for it."""
        patroni = f"http://{self._address}:{self._cluster.patroni_port}"
        listed = get_json(f"{patroni}/cluster")["members"]
        leader = next((str(each["name"]) for each in listed if each.get("role") == "leader"), None)
        missed = self._missed if leader is None else None

        def all_but_missed(so_far: Answers) -> bool:
            return missed is not None and all(answer for name, answer in so_far.items() if name != missed)

        answers = Peers(self._cluster, self._member, self._address).ask(all_but_missed)
        heard = {name: answer.marks for name, answer in answers.items() if answer}
        if missed and missed not in heard:
            self._claim(patroni, heard)
        self._beat += 1
        said = stranded.complaint(leader or self._missed, heard, beat=self._beat)
        self._missed = said.misses if said else None
        return said

    def _claim(self, patroni: str, heard: Mapping[str, Marks]) -> None:
        """Ask Patroni to promote this member, if it is the one."""
        own = ask_one(f"http://{self._address}:{self._cluster.agent_port}/position")
        if own and stranded.claims(self._member, {**heard, self._member: own.marks}):
            say(f"{self._missed} has yielded; asking for the promotion of {self._member}")
            body = json.dumps({"candidate": self._member}).encode()
            request = urllib.request.Request(f"{patroni}/failover", body, {"Content-Type": "application/json"})  # noqa: S310
            urllib.request.urlopen(request, timeout=CLAIM_S).close()  # noqa: S310  the member's own Patroni

    def _complain(self, said: Complaint | None) -> None:
        if said or self._said:
            self._pods.write(self._member, said.encode() if said else None)
            self._said = said is not None


def end(postmaster: Path, patroni: int = PATRONI) -> None:
    """End Patroni in order and its server at once, so that the lock is free within a second or two.

    No commit can be acknowledged any more, so there is nothing that a shutdown in order would save, and Patroni would
    ask standbys that it cannot reach whether they have its last record. It frees the lock when the server is gone, not
    before. Patroni comes first: it would start a server again that ended without it.

    Args:
        postmaster: the file with the id of the server's first process.
        patroni: id of Patroni's process.
    """
    os.kill(patroni, signal.SIGTERM)
    with contextlib.suppress(OSError, ValueError, IndexError):
        os.kill(int(postmaster.read_text().split()[0]), signal.SIGQUIT)


def say(text: str) -> None:
    """One line into the pod's log."""
    print(f"yielding: {text}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log is its only channel


def main() -> None:
    """Look until the container ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", required=True, help="name of this member, that of its pod")
    parser.add_argument("--address", required=True, help="address at which its Patroni answers")
    args = parser.parse_args()
    paths = Paths()
    watch = Watch(paths, load_cluster(paths), args.member, args.address, Pods(ANNOTATION))
    trouble = ""
    while True:
        time.sleep(COMPLAINING_S if watch.complaining else PERIOD_S)
        try:
            reason, trouble = watch.look(), ""
        except (psycopg.Error, OSError, KeyError, TypeError, ValueError) as error:
            if trouble != type(error).__name__:
                trouble = type(error).__name__
                say(f"could not look, and tries on: {trouble}: {str(error).strip()[:200]}")
            continue
        if reason:
            say(reason)
            end(paths.data / "postmaster.pid")
            return


if __name__ == "__main__":
    main()
