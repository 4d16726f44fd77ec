"""The paper venue, by table: which price, how much, when an order ends."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.test_domain import AT, request
from trading.domain.events import Accepted, Cancelled, Expired, Filled, Initialized, Rejected, Submitted
from trading.domain.instruments import Instrument
from trading.domain.lifecycle import apply, fold
from trading.domain.orders import Order, OrderType, Side, TimeInForce
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario
from trading.marketdata.bars import Bar, Step

LISTED = {"RELIANCE": Instrument(symbol="RELIANCE", exchange="NSE", tick_size=Decimal("0.10"))}
BROKER = PaperBroker(Scenario(seed=7), LISTED)
MINUTE = timedelta(minutes=1)


def bar(open_: str = "1000", high: str = "1005", low: str = "995", volume: int = 100_000, at: datetime = AT) -> Bar:
    return Bar("RELIANCE", at, Decimal(open_), Decimal(high), Decimal(low), Decimal(open_), volume)


def working(**changes: object) -> Order:
    return fold(request(**changes), [Initialized(), Submitted(), Accepted("v", None)])


def limit(side: Side, price: str) -> dict[str, object]:
    return {"side": side, "order_type": OrderType.LIMIT, "limit_price": Decimal(price)}


@pytest.mark.parametrize(
    ("order", "price"),
    [
        ({}, "1000.20"),
        ({"side": Side.SELL}, "999.80"),
        (limit(Side.BUY, "1000.20"), "1000.20"),
        (limit(Side.BUY, "1003"), "1000.20"),
        (limit(Side.BUY, "1000.10"), "1000.10"),
        (limit(Side.BUY, "995.20"), "995.20"),
        (limit(Side.BUY, "995.10"), None),
        (limit(Side.SELL, "999.80"), "999.80"),
        (limit(Side.SELL, "990"), "999.80"),
        (limit(Side.SELL, "1004.80"), "1004.80"),
        (limit(Side.SELL, "1004.90"), None),
    ],
)
def test_price(order: dict[str, object], price: str | None) -> None:
    """Half the spread is two basis points of the open, in whole ticks: 0.20 at 1000."""
    reports = BROKER.reports(Step(1, AT, (bar(),)), None, [working(**order)])
    assert [r.event.price for r in reports if isinstance(r.event, Filled)] == ([Decimal(price)] if price else [])


def test_quantity_is_a_part_of_the_volume_shared_in_order_of_arrival() -> None:
    step = Step(1, AT, (bar(volume=100),))
    orders = [working(client_order_id=name, quantity=8) for name in "abc"]
    fills = [r.event for r in BROKER.reports(step, None, orders) if isinstance(r.event, Filled)]
    low, high = BROKER.scenario.participation_percent
    assert low <= sum(f.quantity for f in fills) <= high
    assert next(f.quantity for f in fills) == 8 or len(fills) == 1


def test_no_volume_no_fill() -> None:
    assert BROKER.reports(Step(1, AT, (bar(volume=0),)), None, [working()]) == []


def test_symbol_without_a_bar_waits() -> None:
    assert BROKER.reports(Step(1, AT, ()), None, [working()]) == []


def test_ioc_cancels_what_it_did_not_get() -> None:
    step = Step(1, AT, (bar(volume=100),))
    partial = BROKER.reports(step, None, [working(quantity=500, time_in_force=TimeInForce.IOC)])
    assert [type(r.event) for r in partial] == [Filled, Cancelled]
    nothing = BROKER.reports(step, None, [working(time_in_force=TimeInForce.IOC, **limit(Side.BUY, "900"))])
    assert [type(r.event) for r in nothing] == [Cancelled]
    whole = BROKER.reports(Step(1, AT, (bar(),)), None, [working(time_in_force=TimeInForce.IOC)])
    assert [type(r.event) for r in whole] == [Filled]


def test_day_order_expires_when_the_next_session_begins() -> None:
    order = working(**limit(Side.BUY, "900"))._replace(accepted_at=AT)
    later = AT + MINUTE
    tomorrow = AT + timedelta(days=1)
    assert BROKER.reports(Step(2, later, (bar(at=later),)), AT, [order]) == []
    [report] = BROKER.reports(Step(3, tomorrow, (bar(at=tomorrow),)), later, [order])
    assert isinstance(report.event, Expired)


def test_day_order_placed_after_the_close_trades_in_the_next_session() -> None:
    order = working()._replace(accepted_at=AT)
    tomorrow = AT + timedelta(days=1)
    [report] = BROKER.reports(Step(2, tomorrow, (bar(at=tomorrow),)), AT, [order])
    assert isinstance(report.event, Filled)


def test_answers_are_the_same_in_another_process() -> None:
    """Trade ids are a hash of the venue's facts: a restarted engine cannot book a trade twice."""
    step = Step(9, AT, (bar(),))
    again = PaperBroker(Scenario(seed=7), dict(LISTED))
    assert BROKER.reports(step, None, [working()]) == again.reports(step, None, [working()])
    first, second = (BROKER.reports(Step(number, AT, (bar(),)), None, [working()])[0].event for number in (9, 10))
    assert isinstance(first, Filled)
    assert isinstance(second, Filled)
    assert first.trade_id != second.trade_id


def test_unlisted_symbol_is_rejected() -> None:
    order = fold(request(symbol="NOWHERE"), [Initialized(), Submitted()])
    assert BROKER.submit(order, None) == Rejected("symbol=NOWHERE is not traded at paper")
    assert BROKER.query(order, None) == BROKER.submit(order, None)


@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(["990", "1000", "1010"])), max_size=20))
def test_an_order_never_fills_beyond_its_quantity_or_its_limit(markets: list[tuple[int, str]]) -> None:
    order = working(quantity=300, **limit(Side.BUY, "1000.50"))
    for number, (volume, open_) in enumerate(markets, start=1):
        at = AT + number * MINUTE
        price = Decimal(open_)
        step = Step(number, at, (Bar("RELIANCE", at, price, price + 3, price - 3, price, volume),))
        for report in BROKER.reports(step, at - MINUTE, [order] if order.is_open else []):
            assert isinstance(report.event, Filled)
            assert report.event.price <= Decimal("1000.50")
            order = apply(order, report.event)
    assert order.filled_quantity <= 300
