"""Orders in PostgreSQL: placing, events, positions. Every function works inside the caller's transaction."""

from collections.abc import Sequence
from functools import reduce
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from trading.costs.table import nse_equity
from trading.domain.errors import IllegalTransition, InvalidOrder
from trading.domain.events import (
    Cancelled,
    CancelRequested,
    Denied,
    Filled,
    Initialized,
    ModifyRejected,
    ModifyRequested,
    OrderEvent,
    from_payload,
    to_payload,
)
from trading.domain.lifecycle import apply, fold, start
from trading.domain.orders import (
    Change,
    Mode,
    Order,
    OrderRequest,
    OrderType,
    Product,
    Side,
    Status,
    Terms,
    TimeInForce,
)
from trading.portfolio.positions import Position, book
from trading.risk.checks import Denial, Limits, check, check_change
from trading.storage.connection import Connection
from trading.storage.errors import AccountNotFound, ClientOrderIdReused, OrderBusy, OrderNotFound, OrderOver
from trading.storage.riskcontext import OPEN, risk_context, take_slot

REQUEST = (
    "account, client_order_id, symbol, side, type, product, time_in_force, quantity, limit_price, trigger_price, "
    "market_protection_percent, strategy_id, algo_id, mode"
)
STATE = (
    "status, seq, filled_quantity, filled_value, accepted_at, reason, "
    "modified_quantity, modified_limit_price, modified_trigger_price"
)
EVENTS_OF = "order_id = %(order_id)s AND day = (SELECT day FROM orders WHERE id = %(order_id)s)"  # of one partition


def open_account(connection: Connection, account: str) -> None:
    """Put an account on record. Safe to repeat."""
    connection.execute("INSERT INTO account VALUES (%s) ON CONFLICT DO NOTHING", (account,))


def place(connection: Connection, request: OrderRequest, limits: Limits, *, paced: bool) -> tuple[Order, bool]:
    """The order of a request, and whether it is new: it is booked once, however often and wherever it is asked for.

    The account's row is locked, so that orders of one account see each other in the risk check. A denied order is
    booked too: its id is used up, and repeating it tells the same denial.

    Args:
        paced: the caller keeps the order rate by itself (strategies, in market time), so it is not checked here.

    Raises:
        AccountNotFound: there is no such account.
        ClientOrderIdReused: the account has used this client order id for something else.
    """
    _lock_account(connection, request.account)
    known = find(connection, request.order_id)
    if known:
        if not known.request.is_repeated_by(request):
            raise ClientOrderIdReused(
                f"client_order_id={request.client_order_id}: names another order of this account; take a new one"
            )
        return known, False
    events: list[OrderEvent] = [Initialized()]
    order = start(request, events[0])
    paced = paced and request.mode is Mode.PAPER  # market time is no time of a real broker's
    denial = check(request, risk_context(connection, columns(request), limits, paced=paced), limits)
    if not denial and not paced:
        denial = take_slot(connection, limits)
    if denial:
        events.append(Denied(str(denial)))
        order = apply(order, events[1])
    _insert(connection, order, events)
    return order, True


def append(connection: Connection, order: Order, event: OrderEvent) -> Order:
    """Book one more event of an order, and its fill in the position; returns the order's new state.

    Raises:
        IllegalTransition: the event does not fit, or the order has moved on since `order` was read.
    """
    after = apply(order, event)
    cursor = connection.execute(
        "WITH moved AS (UPDATE orders SET status = %(status)s, seq = %(seq)s, filled_quantity = %(filled_quantity)s, "
        "filled_value = %(filled_value)s, accepted_at = %(accepted_at)s, reason = %(reason)s, "
        "modified_quantity = %(modified_quantity)s, modified_limit_price = %(modified_limit_price)s, "
        "modified_trigger_price = %(modified_trigger_price)s WHERE id = %(id)s AND seq = %(seq)s - 1 "
        "RETURNING id, day) INSERT INTO order_event (order_id, day, seq, kind, payload, venue, trade_id) "
        "SELECT id, day, %(seq)s, %(kind)s, %(payload)s, %(venue)s, %(trade_id)s FROM moved",
        _state(after) | {"id": order.order_id} | _event(event),
    )
    if cursor.rowcount != 1:
        raise IllegalTransition(f"order {order.order_id}: has moved on from seq={order.seq}; read it again")
    if isinstance(event, Filled):
        _book_fill(connection, order.request, event)
    return after


def request_cancel(connection: Connection, order_id: UUID, reason: str) -> Order:
    """Ask for the end of an order, in every trading state; the venue is told by whoever executes orders.

    Safe to repeat. One that nobody has handed over yet is cancelled at once. A trade may still win the race: the answer
    is the order's status later.

    Args:
        reason: who asks and why, for the audit trail.

    Raises:
        OrderNotFound: there is no such order.
        OrderOver: it has ended, and not by a cancel.
    """
    order = lock(connection, order_id)
    if order.is_cancel_requested or order.status is Status.CANCELLED:
        return order
    if not order.is_open:
        raise OrderOver(f"order {order_id}: is {order.status} and cannot be cancelled; nothing of it is open")
    if order.status is Status.INITIALIZED:
        return append(connection, order, Cancelled(reason))
    return append(connection, order, CancelRequested(reason))


def cancel_all(connection: Connection, account: str | None, symbol: str | None, reason: str) -> list[Order]:
    """`request_cancel` for every open order of an account and symbol, oldest first; None stands for all."""
    rows = connection.execute(
        f"SELECT id FROM orders WHERE status IN {OPEN} AND (%(account)s::text IS NULL OR account = %(account)s) "  # noqa: S608
        "AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s) ORDER BY number FOR NO KEY UPDATE",
        {"account": account, "symbol": symbol},
    ).fetchall()
    return [request_cancel(connection, order_id, reason) for (order_id,) in rows]


def request_modify(
    connection: Connection, order_id: UUID, change: Change, limits: Limits
) -> tuple[Order, Denial | None]:
    """Ask for other terms of an order, and the denial when the risk check does not let them pass.

    Safe to repeat: terms that the order has, or that are on their way, are not asked for again. A denied change is
    booked with its reason and leaves the order as it is.

    Raises:
        OrderNotFound: there is no such order.
        OrderOver: it has ended.
        OrderBusy: the venue has not acknowledged it, or a cancel or another change is on its way.
        InvalidOrder: the terms do not suit the order, or are not more than it has filled.
    """
    order = lock(connection, order_id)
    terms = change.of(order)
    if not order.is_open:
        raise OrderOver(f"order {order_id}: is {order.status} and cannot be modified; place another")
    if order.is_cancel_requested:
        raise OrderBusy(f"order {order_id}: a cancel is on its way; place another order")
    if terms == (order.change or order.terms):
        return order, None
    if order.change is not None:
        raise OrderBusy(f"order {order_id}: another change is on its way; ask again when it is answered")
    if order.venue_order_id is None:
        raise OrderBusy(f"order {order_id}: is not acknowledged yet; ask again then, or cancel it")
    if terms.quantity <= order.filled_quantity:
        raise InvalidOrder("quantity", terms.quantity, f"{order.filled_quantity} are filled already; cancel the rest")
    order = append(connection, order, ModifyRequested(*terms))
    _lock_account(connection, order.request.account)
    context = risk_context(connection, columns(order.request), limits, paced=False, without=order_id)
    denial = check_change(order, terms, context, limits) or take_slot(connection, limits)
    if denial:
        order = append(connection, order, ModifyRejected(str(denial)))
    return order, denial


def lock(connection: Connection, order_id: UUID) -> Order:
    """The order folded from its events, which nobody else changes until the transaction ends.

    Raises:
        OrderNotFound: there is no such order.
        IllegalTransition: its events and its row disagree.
    """
    row = connection.execute(
        f"SELECT {REQUEST}, {STATE} FROM orders WHERE id = %s FOR NO KEY UPDATE",  # noqa: S608
        (order_id,),
    ).fetchone()
    if row is None:
        raise OrderNotFound(f"order {order_id}: there is none with this id")
    return replay(connection, order_of(row))


def catch_up(connection: Connection, known: Sequence[Order]) -> list[Order]:
    """The given orders, oldest first, with what others have booked since; nobody else changes them until the end.

    Whoever keeps orders in memory calls it first in a transaction that is to append to them.
    """
    rows = connection.execute(
        "SELECT id, seq FROM orders WHERE id = ANY(%s) ORDER BY number FOR NO KEY UPDATE",
        ([order.order_id for order in known],),
    ).fetchall()
    mine = {order.order_id: order for order in known}
    return [
        mine[order_id] if seq == mine[order_id].seq else _advance(connection, mine[order_id]) for order_id, seq in rows
    ]


def _lock_account(connection: Connection, account: str) -> None:
    """Orders are locked before accounts, everywhere."""
    locked = connection.execute("SELECT FROM account WHERE account = %s FOR NO KEY UPDATE", (account,))
    if not locked.rowcount:
        raise AccountNotFound(f"account={account}: there is no such account")


def _advance(connection: Connection, order: Order) -> Order:
    return reduce(apply, _events(connection, order.order_id, after=order.seq), order)


def _events(connection: Connection, order_id: UUID, *, after: int = 0) -> list[OrderEvent]:
    rows = connection.execute(
        f"SELECT kind, payload FROM order_event WHERE {EVENTS_OF} AND seq > %(seq)s ORDER BY seq",  # noqa: S608
        {"order_id": order_id, "seq": after},
    )
    return [from_payload(kind, payload) for kind, payload in rows]


def find(connection: Connection, order_id: UUID) -> Order | None:
    """The order as its row says: without the trades behind it, the acknowledgement, and what is on its way."""
    row = connection.execute(f"SELECT {REQUEST}, {STATE} FROM orders WHERE id = %s", (order_id,)).fetchone()  # noqa: S608
    return order_of(row) if row else None


def replay_open(connection: Connection) -> list[Order]:
    """The open orders, oldest first, each folded from its events.

    Raises:
        IllegalTransition: events and row disagree, so the book must not be traded on.
    """
    return [replay(connection, row) for row in open_orders(connection)]


def replay(connection: Connection, row: Order) -> Order:
    """The same order folded from its events; raises IllegalTransition when they say something else than the row."""
    order = fold(row.request, _events(connection, row.order_id))
    if _state(order) != _state(row):
        raise IllegalTransition(f"order {row.order_id}: its events and its row disagree; trading on it is refused")
    return order


def initialized(connection: Connection) -> list[Order]:
    """Orders that nobody has submitted yet, oldest first."""
    return _oldest_first(connection, "status = 'INITIALIZED'")


def open_orders(connection: Connection) -> list[Order]:
    """The open orders as their rows say, oldest first; see `find`."""
    return _oldest_first(connection, f"status IN {OPEN}")


def _oldest_first(connection: Connection, condition: str) -> list[Order]:
    rows = connection.execute(f"SELECT {REQUEST}, {STATE} FROM orders WHERE {condition} ORDER BY number")  # noqa: S608
    return [order_of(row) for row in rows.fetchall()]


def tagged(connection: Connection, tags: Sequence[str]) -> list[Order]:
    """The orders whose ids begin with these hexadecimal digits, each folded from its events."""
    bounds = [(UUID(tag.ljust(32, "0")), UUID(tag.ljust(32, "f"))) for tag in tags]
    with connection.transaction():  # locked, so that nothing is booked between a row and its events
        rows = connection.execute(
            f"SELECT {REQUEST}, {STATE} FROM unnest(%s::uuid[], %s::uuid[]) AS tag (low, high) "  # noqa: S608
            "JOIN orders ON id BETWEEN low AND high ORDER BY number FOR NO KEY UPDATE OF orders",
            ([low for low, _ in bounds], [high for _, high in bounds]),
        ).fetchall()
        return [replay(connection, order_of(row)) for row in rows]


def order_of(row: Sequence[Any]) -> Order:
    """An order from the columns `REQUEST`, `STATE`."""
    account, client_order_id, symbol, side, kind, product, tif, quantity, limit, trigger = row[:10]
    protection, strategy_id, algo_id, mode = row[10:14]
    status, seq, filled_quantity, filled_value, accepted_at, reason, *modified = row[14:23]
    return Order(
        request=OrderRequest(
            account=account,
            client_order_id=client_order_id,
            symbol=symbol,
            side=Side(side),
            order_type=OrderType(kind),
            product=Product(product),
            time_in_force=TimeInForce(tif),
            quantity=quantity,
            limit_price=limit,
            trigger_price=trigger,
            market_protection_percent=protection,
            strategy_id=strategy_id,
            algo_id=algo_id,
            mode=Mode(mode),
        ),
        status=Status(status),
        seq=seq,
        filled_quantity=filled_quantity,
        filled_value=filled_value,
        accepted_at=accepted_at,
        reason=reason,
        modified=Terms(*modified) if modified[0] is not None else None,
    )


def columns(request: OrderRequest) -> dict[str, Any]:
    """The columns `REQUEST` of a request."""
    return {
        "account": request.account,
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side.value,
        "type": request.order_type.value,
        "product": request.product.value,
        "time_in_force": request.time_in_force.value,
        "quantity": request.quantity,
        "limit_price": request.limit_price,
        "trigger_price": request.trigger_price,
        "market_protection_percent": request.market_protection_percent,
        "strategy_id": request.strategy_id,
        "algo_id": request.algo_id,
        "mode": request.mode.value,
    }


def _state(order: Order) -> dict[str, Any]:
    return {
        "status": order.status.value,
        "seq": order.seq,
        "filled_quantity": order.filled_quantity,
        "filled_value": order.filled_value,
        "accepted_at": order.accepted_at,
        "reason": order.reason,
        "modified_quantity": order.modified.quantity if order.modified else None,
        "modified_limit_price": order.modified.limit_price if order.modified else None,
        "modified_trigger_price": order.modified.trigger_price if order.modified else None,
    }


def _insert(connection: Connection, order: Order, events: Sequence[OrderEvent]) -> None:
    values = {"id": order.order_id} | columns(order.request) | _state(order)
    names = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    booked = [_event(event) for event in events]
    connection.execute(
        f"WITH placed AS (INSERT INTO orders ({names}) VALUES ({places}) RETURNING id, day) "  # noqa: S608 - names of this file
        "INSERT INTO order_event (order_id, day, seq, kind, payload) SELECT id, day, event.seq, kind, payload "
        "FROM placed, unnest(%(kinds)s::text[], %(payloads)s::jsonb[]) WITH ORDINALITY AS event (kind, payload, seq)",
        values | {"kinds": [one["kind"] for one in booked], "payloads": [one["payload"] for one in booked]},
    )


def _event(event: OrderEvent) -> dict[str, Any]:
    venue, trade_id = (event.venue, event.trade_id) if isinstance(event, Filled) else (None, None)
    return {"kind": event.kind, "payload": Jsonb(to_payload(event)), "venue": venue, "trade_id": trade_id}


def _book_fill(connection: Connection, request: OrderRequest, fill: Filled) -> None:
    key = {"account": request.account, "symbol": request.symbol, "product": request.product.value}
    row = _lock_position(connection, key)
    if row is None:
        # Made first and then locked, so that two first fills of a symbol cannot miss each other.
        connection.execute(
            "INSERT INTO position VALUES (%(account)s, %(symbol)s, %(product)s, 0, 0, 0) ON CONFLICT DO NOTHING", key
        )
        row = _lock_position(connection, key)
    after = book(Position(*(row or ())), request, fill, nse_equity())
    connection.execute(
        "UPDATE position SET quantity = %(quantity)s, cost = %(cost)s, realised_pnl = %(realised)s, "
        "charges = %(charges)s, depository_day = %(day)s "
        "WHERE account = %(account)s AND symbol = %(symbol)s AND product = %(product)s",
        key
        | {
            "quantity": after.quantity,
            "cost": after.cost,
            "realised": after.realised_pnl,
            "charges": after.charges,
            "day": after.depository_day,
        },
    )


def _lock_position(connection: Connection, key: dict[str, str]) -> tuple[Any, ...] | None:
    return connection.execute(
        "SELECT quantity, cost, realised_pnl, charges, depository_day FROM position "
        "WHERE account = %(account)s AND symbol = %(symbol)s AND product = %(product)s FOR UPDATE",
        key,
    ).fetchone()
