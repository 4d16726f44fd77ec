"""Backtests that wait, run and are done, in PostgreSQL: one process has the lease of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from trading.storage.connection import Connection

LEASE_S = 30
MAX_ATTEMPTS = 3
GIVE_UP = f"given up after {MAX_ATTEMPTS} attempts: the process that ran it went away each time"


@dataclass(frozen=True, slots=True)
class Job:
    """A backtest to be run, and what it is of."""

    job_id: UUID
    spec: Mapping[str, Any]


def claim(connection: Connection) -> Job | None:
    """The oldest backtest that nobody runs, with a lease on it; None when there is none. Inside a transaction."""
    connection.execute(
        "UPDATE backtest SET status = 'FAILED', finished_at = clock_timestamp(), error = %s "
        "WHERE status = 'RUNNING' AND lease_until < clock_timestamp() AND attempts >= %s",
        (GIVE_UP, MAX_ATTEMPTS),
    )
    row = connection.execute(
        "UPDATE backtest SET status = 'RUNNING', started_at = clock_timestamp(), progress = 0, "
        "attempts = attempts + 1, lease_until = clock_timestamp() + make_interval(secs => %s) "
        "WHERE id = (SELECT id FROM backtest WHERE status = 'QUEUED' "
        "OR (status = 'RUNNING' AND coalesce(lease_until, '-infinity') < clock_timestamp()) "
        "ORDER BY submitted_at FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id, spec",
        (LEASE_S,),
    ).fetchone()
    return Job(*row) if row else None


def renew(connection: Connection, job_id: UUID, progress: float) -> None:
    """Keep the lease, and say how far it is, 0 to 1."""
    connection.execute(
        "UPDATE backtest SET progress = %s, lease_until = clock_timestamp() + make_interval(secs => %s) "
        "WHERE id = %s AND status = 'RUNNING'",
        (min(max(progress, 0), 1), LEASE_S, job_id),
    )


def finish(connection: Connection, job_id: UUID, result: Mapping[str, Any]) -> None:
    """Keep what came out."""
    connection.execute(
        "UPDATE backtest SET status = 'DONE', finished_at = clock_timestamp(), progress = 1, result = %s, "
        "lease_until = NULL WHERE id = %s",
        (Jsonb(dict(result)), job_id),
    )


def fail(connection: Connection, job_id: UUID, error: str) -> None:
    """Keep why nothing came out."""
    connection.execute(
        "UPDATE backtest SET status = 'FAILED', finished_at = clock_timestamp(), error = %s, lease_until = NULL "
        "WHERE id = %s",
        (error[:2000], job_id),
    )


def give_back(connection: Connection, job_id: UUID) -> None:
    """Queue it again, as if it had not been begun: whoever ran it ends in order."""
    connection.execute(
        "UPDATE backtest SET status = 'QUEUED', progress = 0, attempts = attempts - 1, lease_until = NULL "
        "WHERE id = %s",
        (job_id,),
    )
