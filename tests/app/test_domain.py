"""The order state machine, requests and prices, by table."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pytest

from trading.domain.errors import IllegalTransition, InvalidOrder
from trading.domain.events import (
    KINDS,
    Accepted,
    Cancelled,
    CancelRejected,
    CancelRequested,
    Denied,
    Expired,
    Filled,
    Initialized,
    Modified,
    ModifyRejected,
    ModifyRequested,
    OrderEvent,
    OutcomeUnknown,
    Rejected,
    Submitted,
    Triggered,
    from_payload,
    to_payload,
)
from trading.domain.lifecycle import fold
from trading.domain.orders import Mode, Order, OrderRequest, OrderType, Product, Side, Status, TimeInForce
from trading.domain.prices import is_on_tick, parse_decimal, to_tick
from trading.marketdata.bars import IST

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


STOP: dict[str, object] = {"order_type": OrderType.SL_M, "trigger_price": Decimal(100)}
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
        ([Initialized(), Submitted(), Rejected("x"), fill(1)], "status=REJECTED does not admit FILLED"),
        ([Initialized(), Submitted(), ACK, ACK], "status=ACCEPTED does not admit ACCEPTED"),
        ([Initialized(), Submitted(), fill(1), ACK, ACK], "is acknowledged already, as v1"),
        ([Initialized(), Submitted(), fill(1), CancelRequested("c"), Rejected("x")], "has filled 1 shares"),
        ([Initialized(), Submitted(), ACK, CancelRequested("c"), UNKNOWN], "its outcome is not in doubt"),
        ([Initialized(), Submitted(), ACK, CancelRequested("c"), Triggered(AT)], "has no trigger"),
        ([Initialized(), Submitted(), fill(1), ModifyRequested(5)], "is not acknowledged yet"),
        ([Initialized(), Submitted(), ACK, fill(5), ModifyRequested(5)], "modify quantity=5, filled already=5"),
        ([Initialized(), Submitted(), ACK, CancelRequested("c"), Modified(5)], "has no modification on its way"),
        ([Initialized(), Submitted(), ACK, CancelRequested("c"), CancelRequested("c")], "does not admit CANCEL_"),
    ],
)
def test_fold_refuses(events: Sequence[OrderEvent], message: str) -> None:
    with pytest.raises(IllegalTransition, match=message):
        fold(request(), events)


def test_every_event_survives_storage() -> None:
    events = [Initialized(), Denied("d"), Submitted(), ACK, Accepted("v", None), Rejected("r"), UNKNOWN, fill(3)]
    events += [Cancelled("c"), Expired("e"), Triggered(AT), CancelRequested("c"), CancelRejected("no")]
    events += [ModifyRequested(5), Modified(5, Decimal("1.10"), Decimal("1.05")), ModifyRejected("no")]
    events += [Filled("paper", "t9", 1, Decimal("100.05"), AT, Decimal("0.123456"))]
    assert {e.kind for e in events} == set(KINDS)
    assert [from_payload(e.kind, to_payload(e)) for e in events] == events


def test_fill_that_was_stored_before_there_were_charges_still_folds() -> None:
    payload = to_payload(fill(3))
    del payload["charges"]
    assert from_payload("FILLED", payload) == fill(3)


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
        ({"trigger_price": Decimal(5)}, "trigger_price=5: a MARKET order has none"),
        (STOP | {"trigger_price": None}, "trigger_price=None: an SL-M order needs a price above 0"),
        (STOP | {"limit_price": Decimal(5)}, "limit_price=5: an SL-M order has none"),
        (STOP | {"time_in_force": TimeInForce.IOC}, "time_in_force=IOC: an SL-M order waits for its trigger"),
        (
            STOP | {"order_type": OrderType.SL, "limit_price": Decimal(99)},
            "trigger_price=100: must not be above limit_price=99 of a BUY order",
        ),
        (
            STOP | {"order_type": OrderType.SL, "limit_price": Decimal(101), "side": Side.SELL},
            "trigger_price=100: must not be below limit_price=101 of a SELL order",
        ),
        ({"market_protection_percent": Decimal(0)}, "market_protection_percent=0: must be above 0"),
        (
            {"order_type": OrderType.LIMIT, "limit_price": Decimal(5), "market_protection_percent": Decimal(1)},
            "its limit protects the order",
        ),
    ],
)
def test_wrong_request_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidOrder, match=message):
        request(**changes)


def test_order_id_follows_from_account_and_client_order_id() -> None:
    assert request().order_id == request(quantity=99).order_id
    assert len({request().order_id, request(account="b").order_id, request(client_order_id="b").order_id}) == 3


def test_what_our_settings_add_to_a_request_does_not_make_it_another_order() -> None:
    """An order repeated after a change of settings is found again, with the mode and protection it was made with."""
    old = request()
    again = request(mode=Mode.LIVE, algo_id="tag", market_protection_percent=Decimal(3))
    assert old.is_repeated_by(again)
    assert not request(market_protection_percent=Decimal(2)).is_repeated_by(again)
    assert not old.is_repeated_by(request(quantity=11))
    assert not request(**STOP).is_repeated_by(request(**STOP | {"trigger_price": Decimal(99)}))


def test_average_price() -> None:
    order = fold(request(quantity=3), [Initialized(), Submitted(), fill(1, "a", "10"), fill(2, "b", "10.5")])
    assert order.average_price == Decimal("10.3333")
    assert Order(request=request(), status=Status.ACCEPTED, seq=3).average_price is None


def test_prices() -> None:
    assert parse_decimal(" 12.30 ") == Decimal("12.3")
    assert is_on_tick(Decimal("100.05"), Decimal("0.05"))
    assert not is_on_tick(Decimal("100.03"), Decimal("0.05"))
    assert to_tick(Decimal("100.03"), Decimal("0.05")) == Decimal("100.05")
    for text in ("", "abc", "NaN", "Infinity", "1,000"):
        with pytest.raises(ValueError, match="number"):
            parse_decimal(text)
