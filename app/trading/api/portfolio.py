"""Routes of accounts and what they are worth."""

from decimal import Decimal

from apiflask import APIBlueprint

from trading.api import paging
from trading.api.access import own_account, principal, requires
from trading.api.accounts import must_exist
from trading.api.deps import dependencies
from trading.api.schemas.base import PageQuery
from trading.api.schemas.portfolio import (
    AccountList,
    AccountQuery,
    EquityList,
    EquityOut,
    EquityQuery,
    ExposureList,
    ExposureOut,
    Order,
    PnlList,
    PnlOut,
    PnlQuery,
    SummaryOut,
)
from trading.api.schemas.strategies import fraction
from trading.domain.orders import ZERO, Product
from trading.security.principal import Role
from trading.storage import listings, queries
from trading.storage.connection import Connection
from trading.storage.portfolio import Valuation, price_of, valuation

blueprint = APIBlueprint("portfolio", __name__, tag="portfolio")


@blueprint.get("/accounts")
@requires(Role.VIEWER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(AccountList)
def list_accounts(query_data: PageQuery) -> AccountList:
    """List the accounts that you may use."""
    page, own = paging.asked(query_data, paging.text), principal().accounts
    found = dependencies().database.look(lambda connection: listings.accounts(connection, page, own))
    names, cursor = paging.shown(found, query_data, lambda name: (name,))
    return AccountList(accounts=list(names), next_cursor=cursor)


@blueprint.get("/portfolio/summary")
@requires(Role.VIEWER)
@blueprint.input(AccountQuery, location="query")
@blueprint.output(SummaryOut)
def get_summary(query_data: AccountQuery) -> SummaryOut:
    """Tell what an account is worth."""
    capital, found = _valuation(query_data.account)
    sums = found.summary
    return SummaryOut(
        account=query_data.account,
        at=found.at,
        capital=capital,
        equity=capital + sums.net_pnl,
        cash=capital + sums.cash,
        realised_pnl=sums.realised_pnl,
        unrealised_pnl=sums.unrealised_pnl,
        charges=sums.charges,
        net_pnl=sums.net_pnl,
        gross_exposure=sums.gross_exposure,
        net_exposure=sums.net_exposure,
        open_positions=sum(1 for row in found.rows if row.position.quantity),
    )


@blueprint.get("/portfolio/pnl")
@requires(Role.VIEWER)
@blueprint.input(PnlQuery, location="query")
@blueprint.output(PnlList)
def list_pnl(query_data: PnlQuery) -> PnlList:
    """List an account's positions with their profit at the last prices."""
    account, page = own_account(query_data.account), paging.asked(query_data, paging.text, paging.text, paging.text)

    def work(connection: Connection) -> tuple[list[queries.PositionRow], listings.LastPrices]:
        must_exist(connection, account)
        return queries.positions(connection, page, account=account), listings.last_prices(connection)

    found, prices = dependencies().database.look(work)
    rows, cursor = paging.shown(found, query_data, lambda row: (row.account, row.symbol, row.product))
    return PnlList(positions=[_pnl(row, prices) for row in rows], next_cursor=cursor)


@blueprint.get("/portfolio/equity")
@requires(Role.VIEWER)
@blueprint.input(EquityQuery, location="query")
@blueprint.output(EquityList)
def list_equity(query_data: EquityQuery) -> EquityList:
    """List the points of an account's equity curve."""
    account, page = own_account(query_data.account), paging.asked(query_data, paging.time)

    def work(connection: Connection) -> list[listings.EquityRow]:
        must_exist(connection, account)
        return listings.equity(
            connection,
            page,
            account=account,
            since=query_data.since,
            until=query_data.until,
            newest_first=query_data.first is Order.NEWEST,
        )

    points, cursor = paging.shown(dependencies().database.look(work), query_data, lambda point: (point.at,))
    return EquityList(points=[EquityOut(**point._asdict()) for point in points], next_cursor=cursor)


@blueprint.get("/portfolio/exposure")
@requires(Role.VIEWER)
@blueprint.input(AccountQuery, location="query")
@blueprint.output(ExposureList)
def get_exposure(query_data: AccountQuery) -> ExposureList:
    """Tell how much an account has in each symbol, and of its limits."""
    capital, found = _valuation(query_data.account)
    equity = capital + found.summary.net_pnl
    quantities: dict[str, int] = {}
    values: dict[str, Decimal] = {}
    for row in found.rows:
        if row.position.quantity:
            price = price_of(found.prices, row.symbol, row.position)
            quantities[row.symbol] = quantities.get(row.symbol, 0) + row.position.quantity
            values[row.symbol] = values.get(row.symbol, ZERO) + row.position.quantity * price
    limits = dependencies().limits
    return ExposureList(
        account=query_data.account,
        equity=equity,
        gross_exposure=found.summary.gross_exposure,
        net_exposure=found.summary.net_exposure,
        max_exposure=limits.max_exposure,
        max_position=limits.max_position,
        symbols=[
            ExposureOut(
                symbol=symbol,
                quantity=quantities[symbol],
                value=value,
                share=fraction(value / equity) if equity > 0 else None,
            )
            for symbol, value in sorted(values.items(), key=lambda item: (-abs(item[1]), item[0]))
        ],
    )


def _valuation(account: str) -> tuple[Decimal, Valuation]:
    own_account(account)

    def work(connection: Connection) -> tuple[Decimal, Valuation]:
        must_exist(connection, account)
        return listings.capital(connection, account) or ZERO, valuation(connection, account)

    return dependencies().database.look(work)


def _pnl(row: queries.PositionRow, prices: listings.LastPrices) -> PnlOut:
    position = row.position
    unrealised = position.unrealised_pnl(price_of(prices, row.symbol, position)) if position.quantity else ZERO
    return PnlOut(
        symbol=row.symbol,
        product=Product(row.product),
        quantity=position.quantity,
        average_price=position.average_price,
        last_price=prices.closes.get(row.symbol),
        realised_pnl=position.realised_pnl,
        unrealised_pnl=unrealised,
        charges=position.charges,
        net_pnl=position.realised_pnl + unrealised - position.charges,
    )
