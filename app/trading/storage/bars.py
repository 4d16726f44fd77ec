"""Bars in PostgreSQL: written by the step, read by the symbol."""

from collections.abc import Sequence
from datetime import datetime

from trading.marketdata.bars import IST, Bar, Step
from trading.storage.connection import Connection

BAR = "b.symbol, b.at, b.open, b.high, b.low, b.close, b.volume"


def save_bars(connection: Connection, feed_id: str, interval: str, steps: Sequence[Step]) -> None:
    """Add the bars of steps and note how far that is, inside the caller's transaction.

    The table has one bar a symbol and time: that of the feed that wrote it last, which is its `source`.
    """
    bars = [bar for step in steps for bar in step.bars]
    connection.execute(
        'INSERT INTO bar (symbol, "interval", at, open, high, low, close, volume, source) '
        "SELECT symbol, %s, at, open, high, low, close, volume, %s FROM unnest(%s::text[], %s::timestamptz[], "
        "%s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[]) "
        "AS given (symbol, at, open, high, low, close, volume) "
        'ON CONFLICT (symbol, "interval", at) DO UPDATE SET open = excluded.open, high = excluded.high, '
        "low = excluded.low, close = excluded.close, volume = excluded.volume, source = excluded.source",
        (
            interval,
            feed_id,
            [bar.symbol for bar in bars],
            [bar.at for bar in bars],
            [bar.open for bar in bars],
            [bar.high for bar in bars],
            [bar.low for bar in bars],
            [bar.close for bar in bars],
            [bar.volume for bar in bars],
        ),
    )
    connection.execute(
        'INSERT INTO bar_progress (feed_id, step, "interval") VALUES (%s, %s, %s) '
        "ON CONFLICT (feed_id) DO UPDATE SET step = excluded.step, updated_at = clock_timestamp()",
        (feed_id, steps[-1].number, interval),
    )


def saved_step(connection: Connection, feed_id: str) -> int:
    """The last step whose bars are in the table, 0 if none."""
    row = connection.execute("SELECT step FROM bar_progress WHERE feed_id = %s", (feed_id,)).fetchone()
    return int(row[0]) if row else 0


def last_bars(connection: Connection, feed_id: str, count: int, before: datetime | None = None) -> list[Bar]:
    """The newest bars of each symbol of a feed, at most `count` a symbol, oldest first.

    Args:
        before: begin of the first bars that are not wanted any more; None for all that there are.
    """
    rows = connection.execute(
        f"SELECT {BAR} FROM bar_progress p, instrument i CROSS JOIN LATERAL (SELECT * FROM bar "  # noqa: S608
        'WHERE symbol = i.symbol AND "interval" = p."interval" '
        "AND at < coalesce(%(before)s, 'infinity'::timestamptz) ORDER BY at DESC LIMIT %(count)s) b "
        "WHERE p.feed_id = %(feed)s AND b.source = %(feed)s ORDER BY b.symbol, b.at",
        {"feed": feed_id, "count": count, "before": before},
    )
    return [Bar(symbol, _ist(at), *figures) for symbol, at, *figures in rows]


def _ist(at: datetime) -> datetime:
    return at.astimezone(IST)
