"""What the API lists beside orders: accounts, equity, instruments, bars, strategies, changes, backtests.

Nothing is locked or changed here.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from trading.domain.instruments import Instrument
from trading.marketdata.bars import IST, Bar
from trading.storage.connection import Connection
from trading.storage.paging import Page, all_of, conditions
from trading.storage.strategies import COLUMNS, StrategyRow

INSTRUMENT = ", ".join(field.name for field in fields(Instrument))


class LastPrices(NamedTuple):
    """The last closes of the feed that trades, rupees by symbol, and their market time; none before the first bar."""

    at: datetime | None
    closes: dict[str, Decimal]


class EquityRow(NamedTuple):
    """What an account was worth at a market time, rupees."""

    at: datetime
    equity: Decimal
    cash: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    charges: Decimal


class StrategyChangeRow(NamedTuple):
    """A state that a strategy has had."""

    version: int
    enabled: bool
    parameters: dict[str, Any]
    algo_id: str | None
    actor: str
    reason: str
    recorded_at: datetime


class SignalRow(NamedTuple):
    """What a strategy wanted of a symbol after a step."""

    at: datetime
    symbol: str
    target: Decimal
    detail: dict[str, Any]
    step: int


class StateChangeRow(NamedTuple):
    """A change of the kill switch."""

    seq: int
    state: str
    cause: str
    reason: str
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class BacktestRow:
    """A backtest that was asked for."""

    id: UUID
    submitted_by: str
    submitted_at: datetime
    spec: dict[str, Any]
    status: str
    progress: Decimal
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


def last_prices(connection: Connection) -> LastPrices:
    """See `LastPrices`."""
    row = connection.execute(
        "SELECT at, closes FROM feed JOIN feed_progress USING (feed_id) ORDER BY activated_at DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return LastPrices(None, {})
    return LastPrices(row[0].astimezone(IST), {symbol: Decimal(price) for symbol, price in row[1].items()})


def accounts(connection: Connection, page: Page, of: frozenset[str] | None) -> list[str]:
    """Accounts by name; `of` narrows them to a set."""
    where, values = conditions({"account": of})
    where += ["account > %(after)s"] if page.after else []
    rows = connection.execute(
        f"SELECT account FROM account WHERE {all_of(where)} ORDER BY account LIMIT %(limit)s",  # noqa: S608
        values | page.values("after"),
    )
    return [name for (name,) in rows]


def capital(connection: Connection, account: str) -> Decimal | None:
    """Rupees that an account began with; None when there is no such account."""
    row = connection.execute("SELECT capital FROM account WHERE account = %s", (account,)).fetchone()
    return row[0] if row else None


def equity(
    connection: Connection,
    page: Page,
    *,
    account: str,
    since: datetime | None = None,
    until: datetime | None = None,
    newest_first: bool = False,
) -> list[EquityRow]:
    """Points of an account's equity curve from `since` until before `until`."""
    where = ["account = %(account)s"]
    where += ["at >= %(since)s"] if since else []
    where += ["at < %(until)s"] if until else []
    where += [f"at {'<' if newest_first else '>'} %(after)s"] if page.after else []
    rows = connection.execute(
        "SELECT at, equity, cash, realised_pnl, unrealised_pnl, charges FROM equity_point "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY at {'DESC' if newest_first else 'ASC'} LIMIT %(limit)s",
        {"account": account, "since": since, "until": until} | page.values("after"),
    )
    return [EquityRow(at.astimezone(IST), *figures) for at, *figures in rows]


def instruments(connection: Connection, page: Page, *, prefix: str | None = None) -> list[Instrument]:
    """Listed equities by symbol, those that begin with `prefix`."""
    where = ["starts_with(symbol, %(prefix)s)"] if prefix else []
    where += ["symbol > %(after)s"] if page.after else []
    rows = connection.execute(
        f"SELECT {INSTRUMENT} FROM instrument WHERE {all_of(where)} ORDER BY symbol LIMIT %(limit)s",  # noqa: S608
        {"prefix": prefix} | page.values("after"),
    )
    return [Instrument(**dict(zip(INSTRUMENT.split(", "), row, strict=True))) for row in rows]


def instrument(connection: Connection, symbol: str) -> Instrument | None:
    """One listed equity."""
    row = connection.execute(
        f"SELECT {INSTRUMENT} FROM instrument WHERE symbol = %s",  # noqa: S608
        (symbol,),
    ).fetchone()
    return Instrument(**dict(zip(INSTRUMENT.split(", "), row, strict=True))) if row else None


def bars(
    connection: Connection,
    page: Page,
    *,
    symbol: str,
    interval: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Bar]:
    """A symbol's closed bars, the newest first, begun from `since` until before `until`."""
    where = ["symbol = %(symbol)s", '"interval" = %(interval)s']
    where += ["at >= %(since)s"] if since else []
    where += ["at < %(until)s"] if until else []
    where += ["at < %(after)s"] if page.after else []
    rows = connection.execute(
        "SELECT at, open, high, low, close, volume FROM bar "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY at DESC LIMIT %(limit)s",
        {"symbol": symbol, "interval": interval, "since": since, "until": until} | page.values("after"),
    )
    return [Bar(symbol, at.astimezone(IST), *figures) for at, *figures in rows]


def strategies(connection: Connection, page: Page) -> list[StrategyRow]:
    """Strategies by name."""
    where = ["name > %(after)s"] if page.after else []
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM strategy "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY name LIMIT %(limit)s",
        page.values("after"),
    )
    return [StrategyRow(*row) for row in rows]


def strategy_changes(connection: Connection, page: Page, *, name: str) -> list[StrategyChangeRow]:
    """The states of a strategy, the newest first."""
    where = ["name = %(name)s", *(["version < %(after)s"] if page.after else [])]
    rows = connection.execute(
        "SELECT version, enabled, parameters, algo_id, actor, reason, recorded_at FROM strategy_change "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY version DESC LIMIT %(limit)s",
        {"name": name} | page.values("after"),
    )
    return [StrategyChangeRow(*row) for row in rows]


def signals(connection: Connection, page: Page, *, strategy: str, symbol: str | None = None) -> list[SignalRow]:
    """What a strategy wanted, the newest first."""
    where, values = conditions({"strategy": strategy, "symbol": symbol})
    where += ["(at, step, symbol) < (%(at)s, %(step)s, %(after)s)"] if page.after else []
    rows = connection.execute(
        "SELECT at, symbol, target, detail, step FROM signal "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY at DESC, step DESC, symbol DESC LIMIT %(limit)s",
        values | page.values("at", "step", "after"),
    )
    return [SignalRow(at.astimezone(IST), *rest) for at, *rest in rows]


def state_changes(connection: Connection, page: Page) -> list[StateChangeRow]:
    """Changes of the kill switch, the newest first."""
    where = ["seq < %(after)s"] if page.after else []
    rows = connection.execute(
        "SELECT seq, state, cause, reason, actor, recorded_at FROM trading_state_event "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY seq DESC LIMIT %(limit)s",
        page.values("after"),
    )
    return [StateChangeRow(*row) for row in rows]


BACKTEST = "id, submitted_by, submitted_at, spec, status, progress, started_at, finished_at, error"


def backtests(connection: Connection, page: Page, *, status: str | None = None) -> list[BacktestRow]:
    """Backtests, the newest first."""
    where, values = conditions({"status": status})
    where += ["(submitted_at, id) < (%(at)s, %(after)s)"] if page.after else []
    rows = connection.execute(
        f"SELECT {BACKTEST} FROM backtest "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY submitted_at DESC, id DESC LIMIT %(limit)s",
        values | page.values("at", "after"),
    )
    return [BacktestRow(*row) for row in rows]


def backtest(connection: Connection, backtest_id: UUID) -> BacktestRow | None:
    """One backtest."""
    row = connection.execute(
        f"SELECT {BACKTEST} FROM backtest WHERE id = %s",  # noqa: S608
        (backtest_id,),
    ).fetchone()
    return BacktestRow(*row) if row else None


def backtest_result(connection: Connection, backtest_id: UUID) -> dict[str, Any] | None:
    """What came out of a backtest; None when there is no result."""
    row = connection.execute("SELECT result FROM backtest WHERE id = %s", (backtest_id,)).fetchone()
    return row[0] if row else None


def turnover(connection: Connection, account: str) -> tuple[int, Decimal]:
    """How many trades an account has made, and what they were worth in rupees."""
    row = connection.execute(
        "SELECT count(*), coalesce(sum((payload ->> 'price')::numeric * (payload ->> 'quantity')::integer), 0) "
        "FROM order_event e JOIN orders o ON (o.id, o.day) = (e.order_id, e.day) "
        "WHERE e.kind = 'FILLED' AND o.account = %s",
        (account,),
    ).fetchone()
    return (row[0], row[1]) if row else (0, Decimal(0))
