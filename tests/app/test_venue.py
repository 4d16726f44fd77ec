"""The paper venue's stops, queues, changes and misbehaviour, and that a desk gets through it unharmed."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.ledger import MemoryLedger, lines, run
from tests.app.test_domain import AT, STOP, fill, request
from tests.app.test_paper import LISTED, MINUTE, bar, limit, working
from trading.costs.table import nse_equity
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRequested,
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
)
from trading.domain.lifecycle import apply, fold
from trading.domain.orders import Mode, Order, OrderType, Product, Side, Status
from trading.execution.desk import Desk
from trading.execution.matching import Match, match
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario
from trading.marketdata.bars import Bar, Step
from trading.marketdata.source import open_source
from trading.risk.killswitch import TradingState
from trading.strategies.ema import EmaParameters, EmaTrend

BROKER = PaperBroker(Scenario(seed=7), LISTED)
TICK = Decimal("0.10")
LIVE: tuple[OrderEvent, ...] = (Initialized(), Submitted(), Accepted("v", None))


def played(order: Order, *bars: Bar, broker: PaperBroker = BROKER) -> list[OrderEvent]:
    """The events of an order over bars."""
    found: list[OrderEvent] = []
    for number, one in enumerate(bars, start=1):
        for report in broker.reports(Step(number, one.at, (one,)), None, [order] if order.is_working else []):
            found.append(report.event)
            order = apply(order, report.event)
    return found


def stop(side: Side, trigger: str, limit_price: str | None = None) -> Order:
    changes: dict[str, object] = STOP | {"side": side, "trigger_price": Decimal(trigger)}
    if limit_price is not None:
        changes |= {"order_type": OrderType.SL, "limit_price": Decimal(limit_price)}
    return working(**changes)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # The bar is 1000, 1005, 995; half the spread 0.20 and beyond 1000 it is 0.30.
        (stop(Side.BUY, "1005.10"), Match()),
        (stop(Side.BUY, "1005"), Match(True, Decimal("1005.30"))),
        (stop(Side.BUY, "1000"), Match(True, Decimal("1000.20"))),
        (stop(Side.BUY, "990"), Match(True, Decimal("1000.20"))),
        (stop(Side.SELL, "994.90"), Match()),
        (stop(Side.SELL, "995"), Match(True, Decimal("994.80"))),
        (stop(Side.SELL, "1003"), Match(True, Decimal("999.80"))),
        (stop(Side.BUY, "1004", "1004.30"), Match(True, Decimal("1004.30"))),
        # Triggered above its limit's reach: a low that may have come before the trigger is no fill.
        (stop(Side.BUY, "1004", "1004.20"), Match(True)),
        (stop(Side.SELL, "996", "995.80"), Match(True, Decimal("995.80"))),
        # A limit that is passed, and one that is only touched.
        (working(**limit(Side.BUY, "995.30")), Match(False, Decimal("995.30"))),
        (working(**limit(Side.BUY, "995.20")), Match(False, Decimal("995.20"), True)),
        # Protection makes a limit of the trigger: gapped over, it waits.
        (working(**STOP | {"trigger_price": Decimal(990), "market_protection_percent": Decimal(1)}), Match(True)),
        (
            working(**STOP | {"trigger_price": Decimal(991), "market_protection_percent": Decimal(1)}),
            Match(True, Decimal("1000.20")),
        ),
    ],
)
def test_match(order: Order, expected: Match) -> None:
    assert match(order, bar(), TICK) == expected


def test_stop_sleeps_triggers_and_trades() -> None:
    """openalgo #924: the trigger is booked, so what follows does not depend on a memory of it."""
    quiet, high, later = (bar(high=high, at=AT + n * MINUTE) for n, high in enumerate(("1003", "1006", "1003")))
    order = stop(Side.BUY, "1005", "1005")
    events = played(order, quiet, high, later)
    assert [type(event) for event in events] == [Triggered, Filled]
    resumed = fold(order.request, [*LIVE, events[0]])
    assert match(resumed, later, TICK).price == Decimal("1000.20")


def test_limit_that_is_only_touched_stands_behind_others() -> None:
    """Filled at once and whole by every touch is what makes a paper venue too good to be true."""
    passed = working(quantity=100_000, **limit(Side.BUY, "995.30"))
    touched = working(quantity=100_000, **limit(Side.BUY, "995.20"))
    bars = [bar(at=AT + n * MINUTE) for n in range(30)]
    through, at_touch = (
        [sum(e.quantity for e in played(order, one) if isinstance(e, Filled)) for one in bars]
        for order in (passed, touched)
    )
    assert all(less <= more for less, more in zip(at_touch, through, strict=True))
    assert 0.3 < sum(at_touch) / sum(through) < 0.7


def test_trade_carries_its_charges_and_an_order_pays_capped_brokerage_once() -> None:
    order = working(quantity=20_000, side=Side.SELL, product=Product.MIS)
    fills = [e for e in played(order, *(bar(at=AT + n * MINUTE) for n in range(9))) if isinstance(e, Filled)]
    assert len(fills) > 1
    rates = nse_equity().rates(AT.date(), order.request.product, Side.SELL)
    value = sum((e.price * e.quantity for e in fills), Decimal(0))
    assert sum((e.charges for e in fills), Decimal(0)) == rates.total(value)


@pytest.mark.parametrize(
    ("requests", "answer"),
    [
        ((CancelRequested("user"),), Cancelled("on request")),
        ((ModifyRequested(7, Decimal(900)),), Modified(7, Decimal(900))),
        (
            (fill(4), ModifyRequested(7, Decimal(900)), fill(4, "t2")),
            ModifyRejected("the order has traded as much already"),
        ),
    ],
)
def test_request_is_answered_before_the_next_bar_trades(requests: Sequence[OrderEvent], answer: OrderEvent) -> None:
    order = fold(request(**limit(Side.BUY, "900")), [*LIVE, *requests])
    assert played(order, bar()) == [answer]


def test_modified_limit_trades_in_the_same_bar() -> None:
    order = fold(request(**limit(Side.BUY, "900")), [*LIVE, ModifyRequested(10, Decimal(1001))])
    assert [type(event) for event in played(order, bar())] == [Modified, Filled]


def test_order_meets_no_bar_within_the_latency() -> None:
    slow = PaperBroker(Scenario(seed=7, latency=2 * MINUTE), LISTED)
    order = working()._replace(accepted_at=AT)
    bars = [bar(at=AT + n * MINUTE) for n in (1, 2, 3)]
    assert [e.market_time for e in played(order, *bars) if isinstance(e, Filled)] == [AT + MINUTE]
    assert [e.market_time for e in played(order, *bars, broker=slow) if isinstance(e, Filled)] == [AT + 3 * MINUTE]


def test_order_of_the_other_mode_is_rejected_whatever_the_settings_say() -> None:
    """openalgo #1055: a sandbox order reached the real broker."""
    live = fold(request(mode=Mode.LIVE, algo_id="tag"), [Initialized(), Submitted()])
    assert BROKER.submit(live, None) == Rejected("mode=LIVE: paper takes PAPER orders only")


def test_lost_answer_is_unknown_until_the_venue_tells() -> None:
    away = PaperBroker(Scenario(seed=7, outage_percent=100), LISTED)
    order = fold(request(), [Initialized(), Submitted()])
    assert away.submit(order, AT) == OutcomeUnknown("paper gave no answer")
    assert away.query(order, AT) is None
    assert away.reports(Step(1, AT, (bar(),)), None, [working()]) == []
    assert isinstance(BROKER.query(order, AT), Accepted)
    lost = PaperBroker(Scenario(seed=7, lost_percent=100), LISTED)
    assert lost.query(order, AT) == Rejected("the order never reached paper")


@pytest.mark.parametrize(
    "wrong",
    [{"reject_percent": 101}, {"outage_percent": -1}, {"participation_percent": (9, 3)}, {"latency": -MINUTE}],
)
def test_scenario_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        Scenario(**wrong)  # type: ignore[arg-type]


def trade(scenario: Scenario, steps: int = 300) -> MemoryLedger:
    source = open_source("synthetic", seed=7)
    listed = {instrument.symbol: instrument for instrument in source.instruments}
    desk = Desk((EmaTrend("ema-crossover", EmaParameters()),), listed)
    return run(desk, PaperBroker(scenario, listed), islice(source.steps(1), steps), source.feed_id)


def test_duplicated_reports_change_nothing() -> None:
    """nautilus #1205: a duplicate trade id stopped the engine; here it is dropped, and the book is the same."""
    clean, doubled = (trade(Scenario(seed=7, duplicate_percent=percent)) for percent in (0, 60))
    assert lines(doubled) == lines(clean)
    assert doubled.positions == clean.positions


def test_desk_gets_through_outages_rejections_and_lost_orders() -> None:
    scenario = Scenario(
        seed=7,
        outage_percent=20,
        lost_percent=10,
        reject_percent=10,
        duplicate_percent=10,
        latency=MINUTE,
    )
    ledger = trade(scenario)
    statuses = Counter(order.status for order in ledger.orders.values())
    assert statuses[Status.FILLED] > 20
    assert statuses[Status.REJECTED] > 5
    assert any(isinstance(e, OutcomeUnknown) for events in ledger.events.values() for e in events)
    for order_id, order in ledger.orders.items():
        assert fold(order.request, ledger.events[order_id]) == order
    assert lines(trade(scenario)) == lines(ledger)


prices = st.integers(9900, 10100).map(lambda ticks: Decimal(ticks) * TICK)


@settings(deadline=None)
@given(
    st.sampled_from(Side),
    st.sampled_from(OrderType),
    prices,
    prices,
    st.lists(st.tuples(prices, prices, prices, prices, st.integers(0, 4000)), max_size=8),
)
def test_trades_lie_within_bar_spread_limit_and_room(
    side: Side,
    kind: OrderType,
    one: Decimal,
    other: Decimal,
    markets: list[tuple[Decimal, Decimal, Decimal, Decimal, int]],
) -> None:
    low, high = sorted((one, other))
    changes: dict[str, object] = {"side": side, "order_type": kind, "quantity": 300}
    if kind.has_limit:
        changes["limit_price"] = high if side is Side.BUY else low
    if kind.has_trigger:
        changes["trigger_price"] = low if side is Side.BUY else high
    order = working(**changes)
    for number, (*four, volume) in enumerate(markets, start=1):
        at = AT + number * MINUTE
        market = Bar("RELIANCE", at, four[0], max(four), min(four), four[3], volume)
        for event in played(order, market) if order.is_working else ():
            order = apply(order, event)
            if not isinstance(event, Filled):
                continue
            assert order.is_triggered is kind.has_trigger
            assert min(four) - 1 < event.price < max(four) + 1
            assert event.quantity <= volume * 15 // 100
            assert order.limit_price is None or (order.limit_price - event.price) * side.sign >= 0
    assert order.filled_quantity <= 300


def test_strategies_place_nothing_that_the_kill_switch_would_deny() -> None:
    """Halted, the venue's reports are booked and nothing is placed; reducing, positions are left and none entered."""
    source = open_source("synthetic", seed=7)
    listed = {instrument.symbol: instrument for instrument in source.instruments}
    desk = Desk((EmaTrend("ema-crossover", EmaParameters()),), listed)
    broker = PaperBroker(Scenario(seed=7), listed)
    ledgers = {
        state: run(desk, broker, islice(source.steps(1), 300), source.feed_id, after=200, state=state)
        for state in TradingState
    }
    placed = {state: len(ledger.orders) for state, ledger in ledgers.items()}
    assert placed[TradingState.HALTED] < placed[TradingState.REDUCING] < placed[TradingState.ACTIVE]
    assert not any(order.is_open for order in ledgers[TradingState.HALTED].orders.values())
    later = list(ledgers[TradingState.REDUCING].orders.values())[placed[TradingState.HALTED] :]
    assert {order.request.side for order in later} == {Side.SELL}
