"""The order state machine and positions, by table and by property."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.errors import IllegalTransition, InvalidOrder
from trading.domain.events import (
    KINDS,
    Accepted,
    Cancelled,
    Denied,
    Expired,
    Filled,
    Initialized,
    OrderEvent,
    OutcomeUnknown,
    Rejected,
    Submitted,
    from_payload,
    to_payload,
)
from trading.domain.lifecycle import ADMITTED, apply, fold, start
from trading.domain.orders import TERMINAL, Order, OrderRequest, OrderType, Product, Side, Status, TimeInForce
from trading.domain.prices import is_on_tick, parse_decimal, to_tick
from trading.marketdata.bars import IST
from trading.portfolio.positions import Position, after_fill

AT = datetime(2026, 1, 5, 9, 15, tzinfo=IST)


def request(**changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "account": "main",
        "client_order_id": "one",
        "symbol": "RELIANCE",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "product": Product.CNC,
        "time_in_force": TimeInForce.DAY,
        "quantity": 10,
    }
    return OrderRequest(**(values | changes))  # type: ignore[arg-type]


def fill(quantity: int, trade_id: str = "t1", price: str = "100.05") -> Filled:
    return Filled("paper", trade_id, quantity, Decimal(price), AT)


ACK = Accepted("v1", AT)
UNKNOWN = OutcomeUnknown("timeout")


@pytest.mark.parametrize(
    ("events", "status", "filled"),
    [
        ([Initialized()], Status.INITIALIZED, 0),
        ([Initialized(), Denied("RISK_QTY: qty=1")], Status.DENIED, 0),
        ([Initialized(), Submitted()], Status.SUBMITTED, 0),
        ([Initialized(), Submitted(), Rejected("no")], Status.REJECTED, 0),
        ([Initialized(), Submitted(), UNKNOWN], Status.UNKNOWN, 0),
        ([Initialized(), Submitted(), UNKNOWN, ACK], Status.ACCEPTED, 0),
        ([Initialized(), Submitted(), UNKNOWN, Rejected("no")], Status.REJECTED, 0),
        ([Initialized(), Submitted(), ACK, fill(4)], Status.PARTIALLY_FILLED, 4),
        ([Initialized(), Submitted(), ACK, fill(4), fill(6, "t2")], Status.FILLED, 10),
        ([Initialized(), Submitted(), fill(10)], Status.FILLED, 10),
        ([Initialized(), Submitted(), ACK, fill(4), Cancelled("IOC")], Status.CANCELLED, 4),
        ([Initialized(), Submitted(), ACK, Expired("day")], Status.EXPIRED, 0),
    ],
)
def test_fold(events: Sequence[OrderEvent], status: Status, filled: int) -> None:
    order = fold(request(), events)
    assert (order.status, order.filled_quantity, order.seq) == (status, filled, len(events))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([], "no events"),
        ([Submitted()], "must be INITIALIZED"),
        ([Initialized(), ACK], "does not admit ACCEPTED"),
        ([Initialized(), fill(1)], "does not admit FILLED"),
        ([Initialized(), Denied("x"), Submitted()], "status=DENIED does not admit SUBMITTED"),
        ([Initialized(), Submitted(), ACK, fill(11)], "fill quantity=11, left=10"),
        ([Initialized(), Submitted(), ACK, fill(0)], "fill quantity=0"),
        ([Initialized(), Submitted(), ACK, fill(4), fill(4)], "trade t1 is booked already"),
        ([Initialized(), Submitted(), ACK, fill(10), fill(1, "t2")], "status=FILLED does not admit FILLED"),
        ([Initialized(), Submitted(), ACK, Cancelled("x"), fill(1)], "status=CANCELLED does not admit FILLED"),
    ],
)
def test_fold_refuses(events: Sequence[OrderEvent], message: str) -> None:
    with pytest.raises(IllegalTransition, match=message):
        fold(request(), events)


events_of_any_kind = st.one_of(
    st.sampled_from([Submitted(), ACK, UNKNOWN, Rejected("r"), Denied("d"), Cancelled("c"), Expired("e")]),
    st.builds(fill, st.integers(1, 12), st.sampled_from(["t1", "t2", "t3"])),
)


@given(st.lists(events_of_any_kind, max_size=12))
def test_state_machine_keeps_its_invariants(events: list[OrderEvent]) -> None:
    order = start(request(), Initialized())
    accepted: list[OrderEvent] = [Initialized()]
    for event in events:
        try:
            after = apply(order, event)
        except IllegalTransition:
            continue
        assert order.status not in TERMINAL
        assert isinstance(event, ADMITTED[order.status])
        accepted.append(event)
        order = after
    fills = [e for e in accepted if isinstance(e, Filled)]
    assert order.filled_quantity == sum(e.quantity for e in fills) <= order.request.quantity
    assert (order.status is Status.FILLED) == (order.remaining == 0)
    assert len({e.trade_id for e in fills}) == len(fills)
    stored = [from_payload(e.kind, to_payload(e)) for e in accepted]
    assert fold(order.request, stored) == order


def test_every_event_survives_storage() -> None:
    events = [Initialized(), Denied("d"), Submitted(), ACK, Accepted("v", None), Rejected("r"), UNKNOWN, fill(3)]
    events += [Cancelled("c"), Expired("e")]
    assert {e.kind for e in events} == set(KINDS)
    assert [from_payload(e.kind, to_payload(e)) for e in events] == events


def test_unknown_kind_of_event_is_refused() -> None:
    with pytest.raises(ValueError, match="kind=SPLIT: not one of INITIALIZED"):
        from_payload("SPLIT", {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": 0}, "quantity=0: must be a whole number above 0"),
        ({"quantity": -5}, "quantity=-5"),
        ({"order_type": OrderType.LIMIT}, "limit_price=None: a LIMIT order needs a price"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(0)}, "limit_price=0"),
        ({"limit_price": Decimal(5)}, "limit_price=5: a MARKET order has none"),
    ],
)
def test_wrong_request_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidOrder, match=message):
        request(**changes)


def test_order_id_follows_from_account_and_client_order_id() -> None:
    assert request().order_id == request(quantity=99).order_id
    assert len({request().order_id, request(account="b").order_id, request(client_order_id="b").order_id}) == 3


def test_average_price() -> None:
    order = fold(request(quantity=3), [Initialized(), Submitted(), fill(1, "a", "10"), fill(2, "b", "10.5")])
    assert order.average_price == Decimal("10.3333")
    assert Order(request=request(), status=Status.ACCEPTED, seq=3).average_price is None


@pytest.mark.parametrize(
    ("fills", "quantity", "cost", "realised"),
    [
        ([(Side.BUY, 10, "100"), (Side.SELL, 4, "110")], 6, "600", "40"),
        ([(Side.BUY, 10, "100"), (Side.SELL, 10, "90")], 0, "0", "-100"),
        ([(Side.SELL, 10, "100"), (Side.BUY, 4, "90")], -6, "-600", "40"),
        ([(Side.BUY, 5, "100"), (Side.SELL, 8, "120")], -3, "-360", "100"),
        ([(Side.BUY, 1, "10"), (Side.BUY, 2, "11"), (Side.SELL, 1, "12")], 2, "21.33333333", "1.33333333"),
    ],
)
def test_position(fills: list[tuple[Side, int, str]], quantity: int, cost: str, realised: str) -> None:
    position = Position()
    for side, shares, price in fills:
        position = after_fill(position, side, shares, Decimal(price))
    assert position == Position(quantity=quantity, cost=Decimal(cost), realised_pnl=Decimal(realised))


prices = st.decimals(Decimal("0.05"), Decimal(50_000), places=2)


@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5000), prices), max_size=30))
def test_positions_conserve_cash(fills: list[tuple[Side, int, Decimal]]) -> None:
    position, cash, shares = Position(), Decimal(0), 0
    for side, quantity, price in fills:
        position = after_fill(position, side, quantity, price)
        cash -= side.sign * quantity * price
        shares += side.sign * quantity
        assert position.quantity == shares
        assert position.realised_pnl - position.cost == cash
        assert position.cost * position.quantity >= 0
        assert position.quantity or position.cost == 0


def test_prices() -> None:
    assert parse_decimal(" 12.30 ") == Decimal("12.3")
    assert is_on_tick(Decimal("100.05"), Decimal("0.05"))
    assert not is_on_tick(Decimal("100.03"), Decimal("0.05"))
    assert to_tick(Decimal("100.03"), Decimal("0.05")) == Decimal("100.05")
    for text in ("", "abc", "NaN", "Infinity", "1,000"):
        with pytest.raises(ValueError, match="number"):
            parse_decimal(text)
