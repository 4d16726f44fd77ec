"""Routes of orders and trades."""

from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from trading.api import idempotency, paging
from trading.api.access import own_account, principal, requires
from trading.api.accounts import mine, must_exist
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.schemas.base import PageQuery
from trading.api.schemas.orders import (
    CancelOrders,
    ChargesOut,
    EventList,
    EventOut,
    ModifyOrder,
    OrderList,
    OrderOut,
    OrderQuery,
    OrdersOut,
    PlaceOrder,
    PreviewOut,
    Ticket,
    TradeList,
    TradeOut,
    TradeQuery,
)
from trading.api.signing import READING
from trading.cache.client import CacheUnavailable
from trading.cache.market import say_orders_wait
from trading.domain.orders import Change, Order, OrderRequest, Status
from trading.risk.checks import Denial
from trading.security.principal import Role
from trading.storage import queries
from trading.storage.broker import addressed
from trading.storage.connection import Connection
from trading.storage.orders import cancel_all, place, request_cancel, request_modify
from trading.storage.preview import preview

blueprint = APIBlueprint("orders", __name__, tag="orders")


@blueprint.after_request
def say_that_orders_wait(response: Response) -> Response:
    """Wake whoever executes orders, so that none waits to be found."""
    if request.method not in READING and response.status_code < HTTPStatus.BAD_REQUEST:
        with suppress(CacheUnavailable):
            dependencies().cache.run(say_orders_wait, deadline_s=0)
    return response


@blueprint.post("/orders")
@requires(Role.TRADER)
@blueprint.input(PlaceOrder)
@blueprint.output(OrderOut, status_code=201, description="The order is booked and will be traded.")
@blueprint.doc(
    responses={
        200: "The order was booked before, by a request with the same content.",
        409: "The client order id names another order.",
        422: "Invalid, or denied by the risk check (`RISK_*`): the denied order is booked and its id used up.",
    }
)
def place_order(json_data: PlaceOrder) -> tuple[OrderOut, int]:
    """Place an order.

    Safe to repeat: the same client order id with the same content makes one order and always gives it back.
    """
    wanted = _request(json_data, json_data.client_order_id)

    def work(connection: Connection) -> tuple[queries.OrderRow | None, bool]:
        with connection.writing():
            order, is_new = place(connection, addressed(connection, wanted), dependencies().limits, paced=False)
        return queries.order(connection, order.order_id), is_new

    row, is_new = dependencies().database.run(work)
    if row is None:
        refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "the order cannot be read back")
    if row.order.status is Status.DENIED:
        code, _, detail = str(row.order.reason).partition(": ")
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail, order_id=row.order.order_id)
    return OrderOut.of(row), HTTPStatus.CREATED if is_new else HTTPStatus.OK


@blueprint.post("/orders/preview")
@requires(Role.VIEWER)
@blueprint.input(Ticket)
@blueprint.output(PreviewOut)
@blueprint.doc(responses={422: "The order is wrong by itself."})
def preview_order(json_data: Ticket) -> PreviewOut:
    """Tell what an order would cost and whether the risk check would let it pass. Nothing is booked."""
    wanted = _request(json_data, "preview")

    def work(connection: Connection) -> PreviewOut:
        must_exist(connection, wanted.account)
        found = preview(connection, addressed(connection, wanted), dependencies().limits)
        charges = found.charges
        items = {name: getattr(charges, name) for name in ChargesOut.model_fields} if charges else None
        return PreviewOut(
            is_allowed=found.denial is None,
            code=found.denial.code if found.denial else None,
            detail=found.denial.detail if found.denial else None,
            price=found.price,
            value=found.value,
            charges=ChargesOut(**items) if items else None,
            buying_power=found.buying_power,
            position=found.position,
        )

    return dependencies().database.run(work)


@blueprint.post("/orders/cancel")
@requires(Role.TRADER)
@blueprint.input(CancelOrders)
@blueprint.output(OrdersOut, status_code=202, description="These are on their way to be cancelled.")
@idempotency.keyed
def cancel_orders(json_data: CancelOrders) -> Response:
    """Ask for all open orders of an account to be cancelled, or for those of a symbol."""
    account = own_account(json_data.account)

    def work(connection: Connection) -> OrdersOut:
        return shown(connection, cancel_all(connection, account, json_data.symbol, json_data.reason))

    return idempotency.once(HTTPStatus.ACCEPTED, work)


@blueprint.get("/orders")
@requires(Role.VIEWER)
@blueprint.input(OrderQuery, location="query")
@blueprint.output(OrderList)
def list_orders(query_data: OrderQuery) -> OrderList:
    """List orders, newest first."""
    page = paging.asked(query_data, paging.number)
    filters = {
        "account": mine(query_data.account),
        "symbol": query_data.symbol,
        "status": query_data.status,
        "strategy_id": query_data.strategy_id,
        "is_open": query_data.is_open,
    }
    found = dependencies().database.run(lambda connection: queries.orders(connection, page, **filters))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.number,))
    return OrderList(orders=[OrderOut.of(row) for row in rows], next_cursor=cursor)


@blueprint.get("/orders/<uuid:order_id>")
@requires(Role.VIEWER)
@blueprint.output(OrderOut)
def get_order(order_id: UUID) -> OrderOut:
    """Get one order."""
    return OrderOut.of(dependencies().database.run(lambda connection: _own(connection, order_id)))


@blueprint.patch("/orders/<uuid:order_id>")
@requires(Role.TRADER)
@blueprint.input(ModifyOrder)
@blueprint.output(OrderOut, status_code=202, description="The new terms are on their way to the venue.")
@blueprint.doc(
    responses={
        409: "It has ended (`ORDER_OVER`), or waits for an answer of the venue (`ORDER_BUSY`).",
        422: "The new terms do not suit the order, or are denied by the risk check (`RISK_*`).",
    }
)
def modify_order(order_id: UUID, json_data: ModifyOrder) -> OrderOut:
    """Ask for other terms of an open order. What the venue makes of them is told by its events."""

    change = Change(json_data.quantity, json_data.limit_price, json_data.trigger_price)

    def work(connection: Connection) -> tuple[queries.OrderRow, Denial | None]:
        _own(connection, order_id)
        with connection.writing():
            _, denial = request_modify(connection, order_id, change, dependencies().limits)
        return _own(connection, order_id), denial

    row, denial = dependencies().database.run(work)
    if denial:
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, denial.code, denial.detail, order_id=order_id)
    return OrderOut.of(row)


@blueprint.post("/orders/<uuid:order_id>/cancel")
@requires(Role.TRADER)
@blueprint.output(OrderOut, status_code=202, description="The cancel is on its way, or was already.")
@blueprint.doc(responses={409: "The order has ended otherwise (`ORDER_OVER`)."})
def cancel_order(order_id: UUID) -> OrderOut:
    """Ask for an open order to be cancelled; safe to repeat. Fills may still come until the venue has answered."""
    who = principal().name

    def work(connection: Connection) -> queries.OrderRow:
        _own(connection, order_id)
        with connection.writing():
            request_cancel(connection, order_id, f"asked for by {who}")
        return _own(connection, order_id)

    return OrderOut.of(dependencies().database.run(work))


@blueprint.get("/orders/<uuid:order_id>/events")
@requires(Role.VIEWER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(EventList)
def list_order_events(order_id: UUID, query_data: PageQuery) -> EventList:
    """List the events of an order: the facts that its state follows from."""
    page = paging.asked(query_data, paging.number)

    def work(connection: Connection) -> list[queries.EventRow]:
        _own(connection, order_id)
        return queries.events(connection, order_id, page)

    rows, cursor = paging.shown(dependencies().database.run(work), query_data, lambda row: (row.seq,))
    return EventList(events=[EventOut.of(row) for row in rows], next_cursor=cursor)


@blueprint.get("/trades")
@requires(Role.VIEWER)
@blueprint.input(TradeQuery, location="query")
@blueprint.output(TradeList)
def list_trades(query_data: TradeQuery) -> TradeList:
    """List trades, newest first."""
    page = paging.asked(query_data, paging.time, paging.uuid, paging.number)
    filters = {"account": mine(query_data.account), "symbol": query_data.symbol, "id": query_data.order_id}
    found = dependencies().database.run(lambda connection: queries.trades(connection, page, **filters))
    rows, cursor = paging.shown(found, query_data, lambda row: (row.recorded_at, row.order_id, row.seq))
    return TradeList(trades=[TradeOut.of(row) for row in rows], next_cursor=cursor)


def shown(connection: Connection, orders: Sequence[Order]) -> OrdersOut:
    """The body for orders that have just been made or changed."""
    rows = [queries.order(connection, order.order_id) for order in orders]
    return OrdersOut(orders=[OrderOut.of(row) for row in rows if row])


def _request(ticket: Ticket, client_order_id: str) -> OrderRequest:
    return OrderRequest(
        account=own_account(ticket.account),
        client_order_id=client_order_id,
        symbol=ticket.symbol,
        side=ticket.side,
        order_type=ticket.type,
        product=ticket.product,
        time_in_force=ticket.time_in_force,
        quantity=ticket.quantity,
        limit_price=ticket.limit_price,
        trigger_price=ticket.trigger_price,
        market_protection_percent=ticket.protection(),
    )


def _own(connection: Connection, order_id: UUID) -> queries.OrderRow:
    row = queries.order(connection, order_id)
    if row is None or not principal().may_use(row.order.request.account):
        refuse(HTTPStatus.NOT_FOUND, "ORDER_NOT_FOUND", "there is no order with this id")
    return row
