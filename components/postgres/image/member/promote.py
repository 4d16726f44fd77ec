"""Patroni's `pre_promote`: exit 0 to go on with the promotion, 1 to give the leader lock back.

It runs with the lock in hand and PostgreSQL still in recovery. It completes this member's log where a broken fetch left
it short, asks all other agents at once what they held, and leaves the decision to `guard.decide`.
"""

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psycopg

from components.postgres.image.member import guard, marks, peers, server
from components.postgres.image.member.marks import Marks
from components.postgres.image.member.paths import Cluster, Paths, load_cluster
from components.postgres.image.member.segments import complete_segments, lineages, write_history
from components.postgres.image.member.wal import Lineage, Point, Relation, Switch, format_history, relate

WAIT_S = 10.0
PAUSE_S = 0.3


def main() -> None:
    """Run the guard once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", required=True, help="name of this member, that of its pod")
    parser.add_argument("--address", required=True, help="address at which this member's Patroni answers")
    args = parser.parse_args()
    paths = Paths()
    cluster = load_cluster(paths)
    verdict = run(paths, cluster, args.member, args.address)
    say(verdict.reason)
    sys.exit(0 if verdict.promote else 1)


def say(text: str) -> None:
    """One line into the pod's log."""
    print(f"guard: {text}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log is its only channel


def run(paths: Paths, cluster: Cluster, member: str, address: str, wait_s: float = WAIT_S) -> guard.Verdict:
    """Decide, asking again for up to `wait_s` while an answer, or replay of what is there already, may change it."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            verdict = attempt(paths, cluster, member, address)
        except (psycopg.OperationalError, ValueError, OSError) as error:
            verdict = guard.Verdict(False, f"not promoting: cannot tell where this member stands: {error}", final=False)
        if verdict.promote or time.monotonic() > deadline:
            return verdict
        time.sleep(PAUSE_S)


def attempt(paths: Paths, cluster: Cluster, member: str, address: str) -> guard.Verdict:
    """One look at everything."""
    known = lineages(paths.wal)
    for name in complete_segments(paths.wal, known, paths.programs):
        say(f"completed {name} from the timeline before it")
    system_id, timeline, lsn = server.identify(paths.sockets, cluster.postgres_port)
    mine = Point(known.get(timeline, Lineage(timeline)), lsn)
    own = own_marks(paths.marks, system_id)
    others = [name for name in cluster.members if name != member]

    def judge(answers: peers.Answers) -> guard.Verdict:
        return guard.decide(mine, own, known.values(), answers, acks=cluster.acks)

    answers = peers.ask(cluster, others, address, until=lambda so_far: judge(so_far).promote)
    verdict = judge(answers)
    if not verdict.promote and accepted(paths.accepted_loss, mine):
        verdict = guard.Verdict(True, f"promoting at {mine}, a loss that an operator accepts; else: {verdict.reason}")
    if verdict.promote:
        adopt(paths.wal, mine, known, answers)
    return verdict


def own_marks(path: Path, system_id: str) -> Marks:
    """This member's marks, without those of another database system."""
    own = marks.load(path)
    return own if own.system_id == system_id else Marks(system_id)


def accepted(file: Path, mine: Point) -> bool:
    """Whether an operator has accepted the loss of everything beyond `mine`; good for one promotion.

    The file must hold the very position that the refusal named, so that it accepts that loss and no other.
    """
    try:
        given = file.read_text().split()
    except FileNotFoundError:
        return False
    if given != str(mine).split():
        return False
    file.unlink()
    return True


def adopt(wal: Path, mine: Point, known: dict[int, Lineage], answers: peers.Answers) -> None:
    """Put the histories that only others know beside this member's own.

    PostgreSQL takes the next number after the newest history on its disk. Without an archive two members could begin
    different timelines under one number, and a follower would not notice that it must rewind.
    """
    heard = {m.point.lineage for answer in answers.values() if answer for m in answer.marks}
    for lineage in sorted(with_parents(heard), key=lambda each: each.timeline):
        new = lineage.timeline > mine.timeline and lineage.timeline not in known
        if new and relate(mine, Point(lineage, lineage.begin)) is Relation.HOLDS:
            write_history(wal, lineage, format_history(lineage))
            say(f"timeline {lineage.timeline} is taken: another member knows it")


def with_parents(lineages: Iterable[Lineage]) -> set[Lineage]:
    """The lineages and those of all timelines that they stem from."""
    found: set[Lineage] = set()
    for lineage in lineages:
        found.add(lineage)
        switches: tuple[Switch, ...] = lineage.switches
        found |= {Lineage(switch.timeline, switches[:index]) for index, switch in enumerate(switches)}
    return found


if __name__ == "__main__":
    main()
