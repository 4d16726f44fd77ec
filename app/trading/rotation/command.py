"""The command `trading rotate`."""

import argparse
import getpass
import os
import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trading.rotation import status as pure
from trading.rotation.cluster import Cluster
from trading.rotation.errors import RotationError
from trading.rotation.journal import unfinished
from trading.rotation.kinds import ALL, KUBERNETES, kinds_of
from trading.rotation.kubectl import Kubectl, StackKubectl, update
from trading.rotation.lock import Timing, locked
from trading.rotation.options import STATUS
from trading.rotation.rotate import Rotator
from trading.rotation.stackfile import StackFile, intervals

LONGEST_TOKEN_S = 86400


def execute(args: argparse.Namespace) -> None:
    """Run the command, in the folder of the project.

    Raises:
        RotationError: it was refused, or has stopped; the text says how to go on.
    """
    if args.what != STATUS:
        kinds_of(args.what)
    file = StackFile(Path.cwd(), args.stack)
    namespace, flags = file.cluster()
    run: Kubectl = StackKubectl(flags, namespace)
    cluster = Cluster(run)
    if args.what == STATUS:
        sys.stdout.write(status(file, cluster, as_metrics=args.metrics))
        return
    actor = args.actor or f"{getpass.getuser()}@{socket.gethostname()}"
    kinds = kinds_of(args.what)

    def rotator(hold: Callable[[], None]) -> Rotator:
        def apply(kinds: Sequence[str]) -> None:
            update(file.folder, file.stack, kinds)

        return Rotator(file, cluster, apply, hold, actor, _say, args.within_s)

    if args.dry_run:
        _dry_run(rotator(lambda: None), kinds, args)
    elif kinds:
        holder = f"{actor}/{os.getpid()}/{secrets.token_hex(4)}"
        with locked(run, holder, Timing(), _say) as lock:
            rotator(lock.check).run(kinds, rollback=args.rollback, retire=args.retire)
    if args.what in (KUBERNETES, ALL):
        sys.stdout.write(verify_kubernetes(cluster))


def status(file: StackFile, cluster: Cluster, *, as_metrics: bool = False) -> str:
    """How old each credential is, and what has stopped on its way; the journal is checked by the way."""
    links, _ = cluster.journal()
    found = pure.standings(cluster.epochs(), cluster.made_at(), links, intervals(file.read()))
    now = datetime.now(UTC)
    if as_metrics:
        return pure.metrics(found, now)
    begun = unfinished(links)
    stopped = f"\nstopped at '{begun.phase}': {', '.join(map(str, begun.steps))}" if begun else ""
    return f"{pure.table(found, now)}\njournal: {len(links)} entries, none altered{stopped}\n"


def verify_kubernetes(cluster: Cluster) -> str:
    """Prove that nothing of Kubernetes' own is long-lived: tokens of pods are renewed by the kubelet.

    Raises:
        RotationError: a token has no end, or too late a one.
    """
    found = [f"{name}: a token without an end; delete it, pods need none" for name in cluster.service_account_tokens()]
    lives = cluster.token_lives_s()
    found += [
        f"{pod}: its token lives for {life} s, at most {LONGEST_TOKEN_S}; set expirationSeconds"
        for pod, life in lives.items()
        if life > LONGEST_TOKEN_S
    ]
    if found:
        raise RotationError("\n".join(found))
    longest = max(lives.values(), default=0)
    return (
        f"kubernetes: no token without an end; {len(lives)} pods have one for at most {longest} s, which the kubelet "
        "renews by itself: nothing to rotate\n"
    )


def _dry_run(rotator: Rotator, kinds: tuple[str, ...], args: argparse.Namespace) -> None:
    if not kinds:
        return
    rotation = rotator.planned(kinds, rollback=args.rollback, retire=args.retire)
    for step in rotation.steps:
        _say(f"{rotator.file.path.name}: {step}")
    if rotation.again:
        _say("and once more, so that no password of today stays good")
    _say("then pulumi up of their passwords and Secrets alone, and a wait until every pod that mounts them has moved")
    _say("nothing was changed")


def _say(text: str) -> None:
    """One line of progress, apart from results."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
