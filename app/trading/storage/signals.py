"""What strategies wanted, in PostgreSQL."""

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from trading.execution.desk import Signal
from trading.marketdata.bars import Step
from trading.storage.connection import Connection


def save_signals(connection: Connection, feed_id: str, step: Step, signals: Sequence[Signal]) -> None:
    """Note signals after a step, inside the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO signal (strategy, feed_id, step, symbol, at, target, detail) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (s.strategy, feed_id, step.number, s.symbol, step.at, s.target.share, Jsonb(dict(s.target.detail)))
                for s in signals
            ],
        )
