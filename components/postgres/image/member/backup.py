"""A backup, or the check that there can be one: the jobs that write to the repository.

Each begins with `stanza-create`, which changes nothing where the repository is this cluster's already, and refuses one
that is another's: a cluster that was made anew never writes over the backups of the one before.
"""

import argparse
import subprocess
import sys
import time

from components.postgres.image.member import pgbackrest, status
from components.postgres.image.member.paths import Paths

KINDS = ("full", "diff", "check")


def main() -> None:
    """Run one job to its end; exit 1 when it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS, help="full or differential backup, or the check of the archive")
    parser.add_argument("--host", required=True, help="name of this pod")
    args = parser.parse_args()
    pgbackrest.prepare(Paths(), pgbackrest.BACKUP, args.host)
    begin = time.time()
    problem = attempt(args.kind)
    held = pgbackrest.look()
    status.publish("check" if args.kind == "check" else "backup", facts(held, problem or held.problem, begin))
    sys.exit(1 if problem else 0)


def attempt(kind: str) -> str:
    """Do it; returns what failed in one line, empty when all went well. Its reason is in the job's log."""
    try:
        pgbackrest.run("stanza-create")
        if kind != "check":
            pgbackrest.run("backup", f"--type={kind}")
            return ""
        if pgbackrest.look().newest is None:
            pgbackrest.run("backup", "--type=full")
        pgbackrest.run("check")
    except subprocess.CalledProcessError as error:
        return f"pgbackrest {error.cmd[-1]} ends with {error.returncode}"
    return ""


def facts(held: pgbackrest.Repository, problem: str, begin: float) -> dict[str, object]:
    """What monitoring is told. Pure."""
    newest = {one.kind: one.stop for one in held.backups if not one.broken}
    return {
        "ok": not problem,
        "problem": problem,
        "at": int(begin),
        "seconds": round(time.time() - begin, 1),
        "newest": newest,
        "stored_bytes": sum(one.stored for one in held.backups),
        "newest_wal": held.newest_wal,
    }


if __name__ == "__main__":
    main()
