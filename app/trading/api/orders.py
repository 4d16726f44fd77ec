"""Routes of orders and positions."""

from http import HTTPStatus
from uuid import UUID

from apiflask import APIBlueprint

from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.schemas import (
    EventList,
    EventOut,
    OrderList,
    OrderOut,
    OrderQuery,
    PlaceOrder,
    PositionList,
    PositionOut,
    PositionQuery,
)
from trading.domain.orders import Mode, OrderRequest, Status
from trading.storage import queries
from trading.storage.connection import Connection
from trading.storage.orders import place

blueprint = APIBlueprint("orders", __name__, tag="orders")
ACCOUNT = "main"  # the one account of the API's key holders


@blueprint.post("/orders")
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
    request = OrderRequest(
        account=ACCOUNT,
        client_order_id=json_data.client_order_id,
        symbol=json_data.symbol,
        side=json_data.side,
        order_type=json_data.type,
        product=json_data.product,
        time_in_force=json_data.time_in_force,
        quantity=json_data.quantity,
        limit_price=json_data.limit_price,
        trigger_price=json_data.trigger_price,
        market_protection_percent=json_data.protection(),
        mode=Mode.PAPER,
    )

    def work(connection: Connection) -> tuple[queries.OrderRow | None, bool]:
        with connection.writing():
            order, is_new = place(connection, request, dependencies().limits, paced=False)
        return queries.order(connection, order.order_id), is_new

    row, is_new = dependencies().database.run(work)
    if row is None:
        refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "the order cannot be read back")
    if row.order.status is Status.DENIED:
        code, _, detail = str(row.order.reason).partition(": ")
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail, order_id=row.order.order_id)
    return OrderOut.of(row), HTTPStatus.CREATED if is_new else HTTPStatus.OK


@blueprint.get("/orders")
@blueprint.input(OrderQuery, location="query")
@blueprint.output(OrderList)
def list_orders(query_data: OrderQuery) -> OrderList:
    """List orders, newest first."""
    rows = dependencies().database.run(
        lambda connection: queries.orders(
            connection,
            account=query_data.account,
            symbol=query_data.symbol,
            status=query_data.status,
            before=query_data.cursor,
            limit=query_data.limit,
        )
    )
    more = len(rows) == query_data.limit
    return OrderList(orders=[OrderOut.of(row) for row in rows], next_cursor=rows[-1].number if more else None)


@blueprint.get("/orders/<uuid:order_id>")
@blueprint.output(OrderOut)
def get_order(order_id: UUID) -> OrderOut:
    """Get one order."""
    row = dependencies().database.run(lambda connection: queries.order(connection, order_id))
    if row is None:
        refuse(HTTPStatus.NOT_FOUND, "ORDER_NOT_FOUND", "there is no order with this id")
    return OrderOut.of(row)


@blueprint.get("/orders/<uuid:order_id>/events")
@blueprint.output(EventList)
def get_order_events(order_id: UUID) -> EventList:
    """List the events of an order: the facts that its state follows from."""
    rows = dependencies().database.run(lambda connection: queries.events(connection, order_id))
    if not rows:
        refuse(HTTPStatus.NOT_FOUND, "ORDER_NOT_FOUND", "there is no order with this id")
    return EventList(events=[EventOut.of(row) for row in rows])


@blueprint.get("/positions")
@blueprint.input(PositionQuery, location="query")
@blueprint.output(PositionList)
def list_positions(query_data: PositionQuery) -> PositionList:
    """List positions."""
    rows = dependencies().database.run(lambda connection: queries.positions(connection, account=query_data.account))
    return PositionList(positions=[PositionOut.of(row) for row in rows])
