"""Instruments, feeds, and how far they have been played and decided on."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from trading.domain.instruments import Instrument
from trading.marketdata.bars import IST, Step
from trading.storage.connection import Connection

INSTRUMENT = ", ".join(field.name for field in dataclasses.fields(Instrument))  # columns bear the fields' names


@dataclass(frozen=True, slots=True)
class Progress:
    """The last step that was played of a feed; step 0 and no time when none was."""

    feed_id: str
    step: int
    at: datetime | None


def activate_feed(connection: Connection, feed_id: str, kind: str, instruments: Sequence[Instrument]) -> None:
    """Make a feed the one that trades, with its instruments on record. Safe to repeat."""
    with connection.writing():
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO instrument ({INSTRUMENT}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "  # noqa: S608
                "ON CONFLICT (symbol) DO UPDATE SET exchange = excluded.exchange, tick_size = excluded.tick_size, "
                "lot_size = excluded.lot_size, isin = excluded.isin, series = excluded.series, "
                "freeze_quantity = excluded.freeze_quantity, lower_band_percent = excluded.lower_band_percent, "
                "upper_band_percent = excluded.upper_band_percent",
                [dataclasses.astuple(instrument) for instrument in instruments],
            )
        connection.execute(
            "INSERT INTO feed (feed_id, kind) VALUES (%s, %s) "
            "ON CONFLICT (feed_id) DO UPDATE SET activated_at = clock_timestamp()",
            (feed_id, kind),
        )


def active_progress(connection: Connection) -> Progress | None:
    """How far the active feed has been played; None before any feed was activated."""
    row = connection.execute(
        "SELECT feed_id, coalesce(step, 0), at FROM feed LEFT JOIN feed_progress USING (feed_id) "
        "ORDER BY activated_at DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    feed_id, step, at = row
    return Progress(feed_id, step, at.astimezone(IST) if at else None)


def active_feed(connection: Connection) -> tuple[str, str] | None:
    """Name and kind of the feed that trades; None before any was activated."""
    row = connection.execute("SELECT feed_id, kind FROM feed ORDER BY activated_at DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else None


def played_step(connection: Connection, feed_id: str) -> int:
    """The last step that has been played of a feed, 0 if none."""
    row = connection.execute("SELECT step FROM feed_progress WHERE feed_id = %s", (feed_id,)).fetchone()
    return int(row[0]) if row else 0


def decided_step(connection: Connection, feed_id: str) -> int:
    """The last step of a feed that the strategies have decided on, 0 if none."""
    row = connection.execute("SELECT step FROM engine_progress WHERE feed_id = %s", (feed_id,)).fetchone()
    return int(row[0]) if row else 0


def save_decided(connection: Connection, feed_id: str, step: int) -> None:
    """Note that the strategies have decided on a step."""
    connection.execute(
        "INSERT INTO engine_progress (feed_id, step) VALUES (%s, %s) "
        "ON CONFLICT (feed_id) DO UPDATE SET step = excluded.step, updated_at = clock_timestamp()",
        (feed_id, step),
    )


def save_progress(connection: Connection, feed_id: str, step: Step) -> None:
    """Note that a step is played; closes of symbols without a bar in it stay."""
    closes = {bar.symbol: format(bar.close, "f") for bar in step.bars}
    connection.execute(
        "INSERT INTO feed_progress (feed_id, step, at, closes) VALUES (%(feed)s, %(step)s, %(at)s, %(closes)s) "
        "ON CONFLICT (feed_id) DO UPDATE SET step = excluded.step, at = excluded.at, "
        "closes = feed_progress.closes || excluded.closes, updated_at = clock_timestamp(), "
        "previous_closes = CASE WHEN (feed_progress.at AT TIME ZONE %(zone)s)::date "
        "< (excluded.at AT TIME ZONE %(zone)s)::date THEN feed_progress.closes ELSE feed_progress.previous_closes END",
        {"feed": feed_id, "step": step.number, "at": step.at, "closes": Jsonb(closes), "zone": IST.key},
    )


def instruments(connection: Connection) -> Mapping[str, Instrument]:
    """All instruments on record, by symbol."""
    rows = connection.execute(f"SELECT {INSTRUMENT} FROM instrument")  # noqa: S608 - a constant
    names = [field.name for field in dataclasses.fields(Instrument)]
    return {row[0]: Instrument(**dict(zip(names, row, strict=True))) for row in rows}
