"""Routes of market data. Quotes come from Redis; symbols, bars and indices do not need it."""

from datetime import datetime
from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response

from trading.api import paging
from trading.api.access import requires
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.schemas.marketdata import (
    BarList,
    BarOut,
    BarQuery,
    ConstituentList,
    ConstituentOut,
    ConstituentQuery,
    QuoteList,
    QuoteOut,
    QuoteQuery,
    SymbolList,
    SymbolOut,
    SymbolQuery,
    SymbolsQuery,
)
from trading.api.stream import streamed
from trading.cache.market import read_quotes
from trading.domain.instruments import Instrument
from trading.marketdata.bars import Bar
from trading.marketdata.universe import UniverseError, nifty50, versions
from trading.security.principal import Role
from trading.storage import listings
from trading.storage.connection import Connection

blueprint = APIBlueprint("marketdata", __name__, tag="market data")
DEADLINE_S = 1.0
INDEX = "NIFTY50"
AWAY = {503: "Redis is away (`CACHE_UNAVAILABLE`); orders still work."}


@blueprint.get("/symbols")
@requires(Role.VIEWER)
@blueprint.input(SymbolQuery, location="query")
@blueprint.output(SymbolList)
def list_symbols(query_data: SymbolQuery) -> SymbolList:
    """List what can be traded, by symbol."""
    page = paging.asked(query_data, paging.text)
    prefix = query_data.prefix
    found = dependencies().database.look(lambda connection: listings.instruments(connection, page, prefix=prefix))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.symbol,))
    return SymbolList(symbols=[SymbolOut.of(row) for row in rows], next_cursor=cursor)


@blueprint.get("/symbols/<symbol>")
@requires(Role.VIEWER)
@blueprint.output(SymbolOut)
def get_symbol(symbol: str) -> SymbolOut:
    """Get one symbol: its tick, lot, and limits."""
    return SymbolOut.of(dependencies().database.run(lambda connection: _listed(connection, symbol)))


@blueprint.get("/quotes")
@requires(Role.VIEWER)
@blueprint.input(QuoteQuery, location="query")
@blueprint.output(QuoteList)
@blueprint.doc(responses=AWAY)
def list_quotes(query_data: QuoteQuery) -> QuoteList:
    """List the last quotes, by symbol."""
    page, wanted, quotes = paging.asked(query_data, paging.text), query_data.wanted(), _quotes()
    after = page.after[0] if page.after else ""
    found = [name for name in sorted(quotes) if name > after and (wanted is None or name in wanted)]
    names, cursor = paging.shown(found, query_data, lambda name: (name,))
    return QuoteList(quotes=[QuoteOut.model_validate_json(quotes[name]) for name in names], next_cursor=cursor)


@blueprint.get("/quotes/stream")
@requires(Role.VIEWER)
@blueprint.input(SymbolsQuery, location="query")
@blueprint.doc(
    responses={
        200: "Events `quote` with a quote as data; a comment now and then while nothing changes.",
        429: "Too many streams are open on this process (`STREAMS_EXHAUSTED`).",
        **AWAY,
    }
)
@streamed
def stream_quotes(query_data: SymbolsQuery) -> Response:
    """Stream quotes as they change, as server-sent events.

    It ends after some minutes, or when the process does: connect again, as every client of server-sent events does.
    """
    given = dependencies()  # the request is over before the stream is
    return given.streams.open(lambda: given.cache.run(read_quotes, deadline_s=DEADLINE_S), query_data.wanted())


@blueprint.get("/quotes/<symbol>")
@requires(Role.VIEWER)
@blueprint.output(QuoteOut)
@blueprint.doc(responses=AWAY)
def get_quote(symbol: str) -> QuoteOut:
    """Get the last quote of a symbol."""
    quotes = _quotes()
    if symbol not in quotes:
        refuse(HTTPStatus.NOT_FOUND, "QUOTE_NOT_FOUND", "there is no quote of this symbol")
    return QuoteOut.model_validate_json(quotes[symbol])


@blueprint.get("/bars/<symbol>")
@requires(Role.VIEWER)
@blueprint.input(BarQuery, location="query")
@blueprint.output(BarList)
def list_bars(symbol: str, query_data: BarQuery) -> BarList:
    """List the closed bars of a symbol, newest first."""
    page = paging.asked(query_data, paging.time)

    def work(connection: Connection) -> list[Bar]:
        _listed(connection, symbol)
        return listings.bars(
            connection,
            page,
            symbol=symbol,
            interval=query_data.interval,
            since=query_data.since,
            until=query_data.until,
        )

    def key(bar: Bar) -> tuple[datetime]:
        return (bar.at,)

    rows, cursor = paging.shown(dependencies().database.look(work), query_data, key)
    bars = [BarOut.of(row) for row in rows]
    return BarList(symbol=symbol, interval=query_data.interval, bars=bars, next_cursor=cursor)


@blueprint.get("/indices/<index>/constituents")
@requires(Role.VIEWER)
@blueprint.input(ConstituentQuery, location="query")
@blueprint.output(ConstituentList)
def list_constituents(index: str, query_data: ConstituentQuery) -> ConstituentList:
    """List the members of an index (`NIFTY50`) today or on a day."""
    page = paging.asked(query_data, paging.text)
    if index != INDEX:
        refuse(HTTPStatus.NOT_FOUND, "INDEX_NOT_FOUND", f"there is no such index; {INDEX} is there")
    try:
        members = nifty50(query_data.on)
    except UniverseError:
        refuse(HTTPStatus.NOT_FOUND, "INDEX_NOT_FOUND", f"the first list is of {versions()[0]}")
    after = page.after[0] if page.after else ""
    found = [member for member in members if member.instrument.symbol > after]
    rows, cursor = paging.shown(found, query_data, lambda member: (member.instrument.symbol,))
    return ConstituentList(
        index=INDEX,
        as_of=max(version for version in versions() if query_data.on is None or version <= query_data.on),
        constituents=[
            ConstituentOut(symbol=row.instrument.symbol, isin=row.instrument.isin, sector=row.sector) for row in rows
        ],
        next_cursor=cursor,
    )


def _listed(connection: Connection, symbol: str) -> Instrument:
    found = listings.instrument(connection, symbol) if symbol.isprintable() else None
    if found is None:
        refuse(HTTPStatus.NOT_FOUND, "SYMBOL_NOT_FOUND", "there is no such symbol")
    return found


def _quotes() -> dict[str, str]:
    return dependencies().cache.run(read_quotes, deadline_s=DEADLINE_S)
