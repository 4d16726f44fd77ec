"""The rehearsal of a restore: newest backup, or a moment, into scratch space; replay the log, start, look at the data.

`--preflight` looks only whether a restore could succeed: the repository answers, the passphrase opens it, the files of
the chosen backup are whole. `--hold-s` keeps the restored server up, so that somebody can look into it.
"""

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from components.postgres.image.member import pgbackrest, server, status
from components.postgres.image.member.paths import Cluster, Paths, load_cluster
from components.postgres.image.member.restore import target_options

SCRATCH = Path("/scratch/pgdata")
START_S = 4 * 3600
# what the server has in its files is for a member: here nobody connects, nothing is archived, nobody acknowledges
SETTINGS = {
    "archive_mode": "off",
    "hba_file": str(SCRATCH / "pg_hba.conf"),
    # replay then asks for no setting as large as the primary's, and the server is ready when the replay has ended
    "hot_standby": "off",
    "ident_file": str(SCRATCH / "pg_ident.conf"),
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "ssl": "off",
    "synchronous_standby_names": "",
}
INDEXES = """
SELECT count(bt_index_check(c.oid))
FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
WHERE a.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid AND c.relpersistence = 'p'
"""
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""


class Failed(Exception):
    """Why a rehearsal is no success, in one line."""


def main() -> None:
    """Rehearse once; exit 1 when it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True, help="name of this pod")
    parser.add_argument("--to", default="", help="moment to end at; all that is archived when empty")
    parser.add_argument("--hold-s", type=int, default=0, help="seconds to keep the server up (%(default)s)")
    parser.add_argument("--preflight", action="store_true", help="restore nothing")
    args = parser.parse_args()
    pgbackrest.prepare(Paths(), pgbackrest.BACKUP, args.host)
    begin = time.time()
    facts: dict[str, object] = {"ok": True, "problem": "", "at": int(begin)}
    try:
        chosen = choose(pgbackrest.look(), args.to)
        facts["backup"] = chosen.label
        pgbackrest.run("verify", f"--set={chosen.label}", "--output=text")
        if not args.preflight:
            facts |= rehearse(args.to, args.hold_s)
    except (Failed, subprocess.CalledProcessError, psycopg.Error) as error:
        facts |= {"ok": False, "problem": describe(error)}
    facts["seconds"] = round(time.time() - begin, 1)
    if args.preflight or args.hold_s:
        status.say(json.dumps(facts, sort_keys=True))
    else:
        status.publish("restore-test", facts)
    sys.exit(0 if facts["ok"] else 1)


def describe(error: Exception) -> str:
    """One line for an error."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"{Path(str(error.cmd[0])).name} {error.cmd[-1]} ends with {error.returncode}"
    return " ".join(str(error).split())


def choose(held: pgbackrest.Repository, to: str) -> pgbackrest.Backup:
    """The backup that a restore begins with: the newest one that had ended by then. Raises `Failed`. Pure."""
    if held.problem:
        raise Failed(f"the repository cannot be used: {held.problem}")
    until = datetime.fromisoformat(to).astimezone(UTC).timestamp() if to else float("inf")
    whole = [one for one in held.backups if not one.broken and one.stop < until]
    if not whole:
        first = min(held.backups, key=lambda one: one.stop)
        ended = datetime.fromtimestamp(first.stop, UTC).isoformat()
        raise Failed(f"no whole backup had ended by {to or 'now'}; the first one ended at {ended}")
    return whole[-1]


def rehearse(to: str, hold_s: int) -> dict[str, object]:
    """Restore, replay, look; returns what was seen. Raises what failed."""
    pgbackrest.run("restore", *target_options(to))
    paths = Paths()
    options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
    programs = str(paths.programs)
    control = [f"{programs}/pg_ctl", "-D", str(SCRATCH), "-w", "-t", str(START_S), "-l", "/scratch/server.log"]
    if subprocess.run([*control, "-o", options, "start"], check=False).returncode:
        raise Failed(f"the restored server does not start: {server_log()}")
    try:
        seen = look(paths)
        if hold_s:
            status.say(f"ready: {json.dumps(seen, sort_keys=True)}")
            time.sleep(hold_s)
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True)
    subprocess.run([f"{programs}/pg_checksums", "--check", "-D", str(SCRATCH)], check=True)
    return seen


def look(paths: Paths) -> dict[str, object]:
    """Count every row and check every index of the application's database."""
    cluster = load_cluster(paths)
    with replayed(paths, cluster) as connection:
        connection.execute("SET statement_timeout = 0")
        last = connection.execute("SELECT extract(epoch FROM pg_last_xact_replay_timestamp())::float").fetchone()
        tables = [str(row[0]) for row in connection.execute(TABLES)]
        if not tables:
            raise Failed(f"database {cluster.database} has no table")
        counts = {name: _count(connection, name) for name in tables}
        connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        checked = connection.execute(INDEXES).fetchone()
    return {
        "tables": len(counts),
        "rows": sum(counts.values()),
        "indexes": checked[0] if checked else 0,
        "newest_commit": last[0] if last else None,
    }


def replayed(paths: Paths, cluster: Cluster) -> "psycopg.Connection[TupleRow]":
    """A connection, once the end of the log is reached: until then the server takes none."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return server.connect(paths.sockets, cluster.postgres_port, cluster.database)
        except psycopg.OperationalError:
            ended = not (SCRATCH / "postmaster.pid").exists()
            if ended or time.monotonic() > deadline:
                raise Failed(f"the restored server has not come to the end of the log: {server_log()}") from None
        time.sleep(0.2)


def server_log() -> str:
    """The last lines of the restored server, in one."""
    return " / ".join((SCRATCH.parent / "server.log").read_text().splitlines()[-10:])


def _count(connection: "psycopg.Connection[TupleRow]", table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608  quoted by format()
    return int(str(row[0])) if row else 0


if __name__ == "__main__":
    main()
