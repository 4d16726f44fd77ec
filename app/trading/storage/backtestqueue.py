"""Puts backtests into the queue that the scheduler works off."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from trading.storage.connection import Connection


def submit(connection: Connection, backtest_id: UUID, *, submitted_by: str, spec: Mapping[str, Any]) -> None:
    """Queue a backtest, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO backtest (id, submitted_by, spec) VALUES (%s, %s, %s)", (backtest_id, submitted_by, Jsonb(spec))
    )
