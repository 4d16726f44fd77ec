"""Patroni's `pre_promote`: exit 0 to go on with the promotion, 1 to give the leader lock back.

It runs with the lock in hand and PostgreSQL still in recovery. It completes this member's log where a broken fetch left
it short, asks all other agents at once what they held, and leaves the decision to `guard.decide`. Then it reserves the
number of the timeline that is about to begin.
"""

import argparse
import sys
import time
from pathlib import Path

import psycopg

from components.postgres.image.member import guard, marks, numbers, server
from components.postgres.image.member.marks import Marks
from components.postgres.image.member.paths import Cluster, Paths, load_cluster
from components.postgres.image.member.peers import Answers, Peers
from components.postgres.image.member.segments import complete_segments, histories, lineages
from components.postgres.image.member.wal import Lineage, Point

WAIT_S = 10.0
SETTLED_S = 2.0
PAUSE_S = 0.3


def main() -> None:
    """Run the guard once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", required=True, help="name of this member, that of its pod")
    parser.add_argument("--address", required=True, help="address at which this member's Patroni answers")
    parser.add_argument("--wait-s", type=float, default=WAIT_S, help="seconds to wait for answers (%(default)s)")
    args = parser.parse_args()
    paths = Paths()
    cluster = load_cluster(paths)
    verdict = run(paths, cluster, Peers(cluster, args.member, args.address), args.wait_s)
    say(verdict.reason)
    sys.exit(0 if verdict.promote else 1)


def say(text: str) -> None:
    """One line into the pod's log."""
    print(f"guard: {text}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log is its only channel


def run(paths: Paths, cluster: Cluster, peers: Peers, wait_s: float) -> guard.Verdict:
    """Decide, looking again for up to `wait_s`: an answer may come, or replay of what is there already may go on.

    A refusal that no answer can change is given once it has stood still for `SETTLED_S`, so that another member can
    have the lock soon.
    """
    begin = settled = time.monotonic()
    before = ""
    while True:
        try:
            verdict = attempt(paths, cluster, peers)
        except (psycopg.OperationalError, ValueError, OSError) as error:
            reason = f"not promoting: cannot tell where this member stands: {error}"
            verdict = guard.Verdict(False, reason, final=False)
        now = time.monotonic()
        if verdict.reason != before:
            before, settled = verdict.reason, now
        if verdict.promote or now - begin > wait_s or (verdict.final and now - settled > SETTLED_S):
            return verdict
        time.sleep(PAUSE_S)


def attempt(paths: Paths, cluster: Cluster, peers: Peers) -> guard.Verdict:
    """One look at everything, and with a verdict to promote the timeline's number."""
    known = lineages(paths.wal)
    for name in complete_segments(paths.wal, known, paths.programs):
        say(f"completed {name} from the timeline before it")
    system_id, timeline, lsn = server.identify(paths.sockets, cluster.postgres_port)
    mine = Point(known.get(timeline, Lineage(timeline)), lsn)
    own = own_marks(paths.marks, system_id)

    def judge(answers: Answers) -> guard.Verdict:
        heard = {name: answer.marks if answer else None for name, answer in answers.items()}
        return guard.decide(mine, own, known.values(), heard, acks=cluster.acks)

    answers = peers.ask(until=lambda so_far: judge(so_far).promote)
    verdict = judge(answers)
    if verdict.promote:
        enough = len(peers.names) - cluster.acks
        number = next_number(paths, own, answers)
        if peers.reserve(number, enough) < enough:
            reason = f"not promoting at {mine}: timeline {number} is not promised by {enough} others"
            return guard.Verdict(False, reason, final=False)
    elif accepted(paths.accepted_loss, mine):
        number = next_number(paths, own, answers)
        verdict = guard.Verdict(True, f"promoting at {mine}, a loss that an operator accepts; else: {verdict.reason}")
    else:
        return verdict
    if taken := numbers.occupy(paths.wal, mine, number):
        say(f"timeline numbers known to others only: {', '.join(str(each) for each in taken)}")
    return verdict


def own_marks(path: Path, system_id: str) -> Marks:
    """This member's marks, without those of another database system."""
    own = marks.load(path)
    return own if own.system_id == system_id else Marks(system_id)


def next_number(paths: Paths, own: Marks, answers: Answers) -> int:
    """The number after all that this member and those that answered have heard of."""
    here = numbers.newest(own, histories(paths.wal), numbers.load_reserved(paths.reserved, own.system_id))
    return 1 + max(here, *(answer.newest for answer in answers.values() if answer), 1)


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


if __name__ == "__main__":
    main()
