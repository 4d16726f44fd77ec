"""What people ask for beside orders: changes of strategies, and backtests."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from trading.domain.errors import TradingError
from trading.storage.connection import Connection


class VersionStale(TradingError):
    """It has changed since the version that a change was made of."""

    code = "VERSION_STALE"


def change_strategy(
    connection: Connection,
    name: str,
    *,
    actor: str,
    reason: str,
    enabled: bool | None = None,
    parameters: Mapping[str, Any] | None = None,
    version: int | None = None,
) -> None:
    """Book a change of a strategy; what is None stays as it is, and a change to the same is none.

    Raises:
        VersionStale: `version` is not the present one.
    """
    row = connection.execute(
        "SELECT enabled, parameters, version FROM strategy WHERE name = %s FOR UPDATE", (name,)
    ).fetchone()
    if row is None:
        return
    if version not in (None, row[2]):
        raise VersionStale(f"version={version}: the present one is {row[2]}; read it again")
    after = (row[0] if enabled is None else enabled, row[1] if parameters is None else dict(parameters))
    if after == row[:2]:
        return
    values = {"name": name, "enabled": after[0], "parameters": Jsonb(after[1]), "actor": actor, "reason": reason}
    connection.execute(
        "UPDATE strategy SET enabled = %(enabled)s, parameters = %(parameters)s, version = version + 1 "
        "WHERE name = %(name)s",
        values,
    )
    connection.execute(
        "INSERT INTO strategy_change (name, version, enabled, parameters, actor, reason) "
        "SELECT name, version, enabled, parameters, %(actor)s, %(reason)s FROM strategy WHERE name = %(name)s",
        values,
    )


def submit_backtest(connection: Connection, backtest_id: UUID, *, submitted_by: str, spec: Mapping[str, Any]) -> None:
    """Put a backtest into the queue."""
    connection.execute(
        "INSERT INTO backtest (id, submitted_by, spec) VALUES (%s, %s, %s)", (backtest_id, submitted_by, Jsonb(spec))
    )
