"""Strategies in PostgreSQL: which exist, whether they trade, with which parameters, and who changed that, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from psycopg.types.json import Jsonb

from trading.domain.errors import TradingError
from trading.settings import ALGO_ID
from trading.storage.connection import Connection
from trading.strategies.registry import StrategyError, check_parameters

COLUMNS = "name, kind, enabled, parameters, version, algo_id"
SYSTEM = "system"


class StrategyNotFound(TradingError):
    """There is no strategy of this name."""

    code = "STRATEGY_NOT_FOUND"


class StrategyChanged(TradingError):
    """The strategy has been changed since the caller looked at it."""

    code = "STRATEGY_VERSION"


class StrategyReasonMissing(TradingError):
    """A change without a reason."""

    code = "STRATEGY_REASON"


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """A strategy as it is stored.

    Attributes:
        version: grows with every change.
        algo_id: the exchange's tag, without which none of its orders is sent to a real broker; None for none.
    """

    name: str
    kind: str
    enabled: bool
    parameters: Mapping[str, Any]
    version: int = 1
    algo_id: str | None = None


def strategies(connection: Connection) -> list[StrategyRow]:
    """All strategies, by name."""
    return [StrategyRow(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM strategy ORDER BY name")]  # noqa: S608


def find(connection: Connection, name: str) -> StrategyRow | None:
    """One strategy, or None."""
    row = connection.execute(f"SELECT {COLUMNS} FROM strategy WHERE name = %s", (name,)).fetchone()  # noqa: S608
    return StrategyRow(*row) if row else None


def seed(connection: Connection, defaults: Iterable[StrategyRow]) -> None:
    """Put the strategies of a new database on record; those that are there stay as they are. Safe to repeat."""
    for row in defaults:
        added = connection.execute(
            "INSERT INTO strategy (name, kind, enabled, parameters) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (row.name, row.kind, row.enabled, Jsonb(dict(row.parameters))),
        )
        if added.rowcount:
            _note(connection, row.name, SYSTEM, "a strategy of this version")


def change(
    connection: Connection,
    name: str,
    enabled: bool | None,
    parameters: Mapping[str, Any] | None,
    actor: str,
    reason: str,
    expected_version: int | None,
    algo_id: str | None = None,
) -> StrategyRow:
    """Enable, disable, give other parameters or another tag; the engine takes it up at its next step.

    Works inside the caller's transaction. None leaves a thing as it is; what would change nothing is not noted.

    Args:
        parameters: whole, not as differences.
        expected_version: the version that the caller looked at; None does not ask.
        algo_id: the exchange's tag of its orders from now on; empty takes it away.

    Raises:
        StrategyNotFound: there is none of this name.
        StrategyChanged: somebody was faster.
        StrategyReasonMissing: nothing says why.
        StrategyError: the parameters do not suit its kind, or the tag cannot be one.
    """
    if not reason.strip():
        raise StrategyReasonMissing("reason: is empty; say why the strategy is changed")
    row = connection.execute(
        f"SELECT {COLUMNS} FROM strategy WHERE name = %s FOR UPDATE",  # noqa: S608 - a constant
        (name,),
    ).fetchone()
    if row is None:
        raise StrategyNotFound(f"strategy={name}: there is none of this name; list the strategies")
    before = StrategyRow(*row)
    if expected_version is not None and expected_version != before.version:
        raise StrategyChanged(
            f"expected_version={expected_version}: strategy {name} has version {before.version}; look at it again"
        )
    after = StrategyRow(
        name,
        before.kind,
        before.enabled if enabled is None else enabled,
        before.parameters if parameters is None else dict(parameters),
        before.version + 1,
        before.algo_id if algo_id is None else algo_id or None,
    )
    if parameters is not None:
        check_parameters(before.kind, parameters)
    if algo_id and not ALGO_ID.fullmatch(algo_id):
        raise StrategyError(f"algo_id={algo_id:.60}: must be the exchange's tag: 1 to 40 letters, digits, - and _")
    if replace(after, version=before.version) == before:
        return before
    connection.execute(
        "UPDATE strategy SET enabled = %s, parameters = %s, version = %s, algo_id = %s WHERE name = %s",
        (after.enabled, Jsonb(dict(after.parameters)), after.version, after.algo_id, name),
    )
    _note(connection, name, actor, reason.strip())
    return after


def _note(connection: Connection, name: str, actor: str, reason: str) -> None:
    connection.execute(
        "INSERT INTO strategy_change (name, version, enabled, parameters, algo_id, actor, reason) "
        "SELECT name, version, enabled, parameters, algo_id, %s, %s FROM strategy WHERE name = %s",
        (actor, reason, name),
    )
