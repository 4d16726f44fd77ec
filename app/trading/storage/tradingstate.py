"""The kill switch's changes in PostgreSQL: append-only, the newest is the state."""

from trading.risk.killswitch import Change, TradingState
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
