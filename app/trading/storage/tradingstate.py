"""The kill switch's changes in PostgreSQL: append-only, the newest is the state."""

from trading.risk.killswitch import STRICTNESS, Cause, Change, KillSwitchError, Role, TradingState, reset, tighten
from trading.storage.connection import Connection

LOCK = "SELECT pg_advisory_xact_lock(7301003)"  # one change at a time, so that each is made on the state before it


def trading_state(connection: Connection) -> TradingState:
    """The present state; ACTIVE before any change."""
    row = connection.execute("SELECT state FROM trading_state_event ORDER BY seq DESC LIMIT 1").fetchone()
    return TradingState(row[0]) if row else TradingState.ACTIVE


def lock_state(connection: Connection) -> TradingState:
    """The present state, which nobody else changes until the transaction ends."""
    connection.execute(LOCK)
    return trading_state(connection)


def record(connection: Connection, change: Change) -> None:
    """Book a change that was made on what `lock_state` has returned in this transaction."""
    connection.execute(
        "INSERT INTO trading_state_event (seq, state, cause, reason, actor) "
        "SELECT coalesce(max(seq), 0) + 1, %s, %s, %s, %s FROM trading_state_event",
        (change.state.value, change.cause.value, change.reason, change.actor),
    )


def change_state(connection: Connection, to: TradingState, *, reason: str, actor: str) -> None:
    """Change the state inside a transaction, for somebody who may; the same state again is no change.

    Raises:
        KillSwitchError: no reason is given.
    """
    if not reason.strip():
        raise KillSwitchError("reason: is empty; say why")
    before = lock_state(connection)
    if to is before:
        return
    if STRICTNESS[to] > STRICTNESS[before]:
        change = tighten(before, to, Cause.OPERATOR, reason, actor)
    else:
        change = reset(before, to, reason=reason, actor=actor, role=Role.RISK_MANAGER)
    if change:
        record(connection, change)
