"""Routes of positions."""

import secrets
from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response

from trading.api import idempotency, paging
from trading.api.access import own_account, requires
from trading.api.accounts import mine, must_exist
from trading.api.deps import dependencies
from trading.api.orders import say_that_orders_wait, shown
from trading.api.schemas.orders import OrdersOut
from trading.api.schemas.positions import ClosePosition, PositionList, PositionOut, PositionQuery, SquareOff
from trading.domain.orders import Product
from trading.security.principal import Role
from trading.storage import queries
from trading.storage.closing import close
from trading.storage.connection import Connection

blueprint = APIBlueprint("positions", __name__, tag="positions")
blueprint.after_request(say_that_orders_wait)
PLACED = "The orders that close what no open order closes already; none when there is nothing left to close."


@blueprint.get("/positions")
@requires(Role.VIEWER)
@blueprint.input(PositionQuery, location="query")
@blueprint.output(PositionList)
def list_positions(query_data: PositionQuery) -> PositionList:
    """List positions."""
    page = paging.asked(query_data, paging.text, paging.text, paging.text)
    filters = {"account": mine(query_data.account), "symbol": query_data.symbol, "is_open": query_data.is_open}
    found = dependencies().database.look(lambda connection: queries.positions(connection, page, **filters))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.account, row.symbol, row.product))
    return PositionList(positions=[PositionOut.of(row) for row in rows], next_cursor=cursor)


@blueprint.post("/positions/close")
@requires(Role.TRADER)
@blueprint.input(ClosePosition)
@blueprint.output(OrdersOut, status_code=201, description=PLACED)
@idempotency.keyed
def close_position(json_data: ClosePosition) -> Response:
    """Close one position at the market.

    Open orders that would close it are counted, so that asking twice does not sell twice. A position that is larger
    than one order may be is closed by several.
    """
    return _close(json_data.account, json_data.symbol, json_data.product)


@blueprint.post("/positions/square-off")
@requires(Role.TRADER)
@blueprint.input(SquareOff)
@blueprint.output(OrdersOut, status_code=201, description=PLACED)
@idempotency.keyed
def square_off(json_data: SquareOff) -> Response:
    """Close all intraday positions of an account at the market, or all of another product, or all."""
    return _close(json_data.account, None, json_data.product)


def _close(account: str, symbol: str | None, product: Product | None) -> Response:
    own_account(account)
    request_id = secrets.token_hex(8)

    def work(connection: Connection) -> OrdersOut:
        must_exist(connection, account)
        limits = dependencies().limits
        orders = close(connection, account, limits, request_id=request_id, symbol=symbol, product=product)
        return shown(connection, orders)

    return idempotency.once(HTTPStatus.CREATED, work)
