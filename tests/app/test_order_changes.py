"""Cancelling and modifying on a real PostgreSQL: what is asked for is booked once, whoever else is at the order."""

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal

import pytest

from tests.app.stage import Stage
from tests.app.test_storage import accepted, fill, open_market, place, request
from tests.app.test_storage_risk import LIMIT, change, context
from trading.domain.errors import IllegalTransition, InvalidOrder
from trading.domain.events import Accepted, Cancelled, Modified, Submitted
from trading.domain.orders import Change, Mode, Order, Status, Terms
from trading.risk.checks import Denial, Limits
from trading.risk.codes import DenyCode
from trading.risk.killswitch import TradingState
from trading.storage import orders
from trading.storage.connection import Connection
from trading.storage.errors import OrderBusy, OrderNotFound, OrderOver
from trading.storage.tradingstate import record

pytestmark = pytest.mark.cluster

AT_101 = Decimal("101.00")


def cancel(connection: Connection, order: Order) -> Order:
    with connection.writing():
        return orders.request_cancel(connection, order.order_id, "user: changed my mind")


def modify(connection: Connection, order: Order, wanted: Change) -> tuple[Order, Denial | None]:
    with connection.writing():
        return orders.request_modify(connection, order.order_id, wanted, Limits())


def kinds(stage: Stage) -> list[str]:
    return [kind for (kind,) in stage.query("SELECT kind FROM order_event ORDER BY recorded_at, seq")]


def test_cancel_of_an_order_that_nobody_has_sent_ends_it_at_once(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order, _ = place(connection, request())
        gone = cancel(connection, order)
        assert (gone.status, gone.reason) == (Status.CANCELLED, "user: changed my mind")
        assert cancel(connection, order) == gone
        with pytest.raises(IllegalTransition, match="has moved on"):  # whoever still has it as new cannot send it
            orders.append(connection, order, Submitted())
    assert kinds(stage) == ["INITIALIZED", "CANCELLED"]


def test_cancel_asked_for_twice_is_booked_once(stage: Stage) -> None:
    open_market(stage)
    barrier = threading.Barrier(6)
    with stage.connect() as connection:
        order = accepted(connection, **LIMIT)

    def one(_: int) -> Order:
        with stage.connect() as connection:
            barrier.wait()
            return cancel(connection, order)

    with ThreadPoolExecutor(6) as threads:
        answers = set(threads.map(one, range(6)))
    assert [answer.status for answer in answers] == [Status.PENDING_CANCEL]
    assert kinds(stage).count("CANCEL_REQUESTED") == 1


def test_cancel_and_fill_at_once_are_both_booked(stage: Stage) -> None:
    """Whichever comes first: the trade counts, and the position is the trade's."""
    open_market(stage)
    with stage.connect() as connection:
        placed = [accepted(connection, client_order_id=f"o{n}", quantity=1, **LIMIT) for n in range(12)]
    barrier = threading.Barrier(2)

    def cancels() -> None:
        with stage.connect() as connection:
            barrier.wait()
            for order in placed:
                with suppress(OrderOver):
                    cancel(connection, order)

    def fills() -> None:
        with stage.connect() as connection:
            barrier.wait()
            for number, order in enumerate(placed):
                with connection.writing():
                    [now] = orders.catch_up(connection, [order])
                    orders.append(connection, now, fill(f"t{number}"))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda work: work(), (cancels, fills)))
    assert stage.query("SELECT DISTINCT status, filled_quantity FROM orders") == [("FILLED", 1)]
    assert stage.query("SELECT quantity FROM position") == [(12,)]
    with stage.connect() as connection:
        for order in placed:
            orders.lock(connection, order.order_id)


def test_nothing_can_be_asked_of_an_order_that_is_over(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order = accepted(connection, quantity=1, **LIMIT)
        orders.append(connection, order, fill("t1"))
        with pytest.raises(OrderOver, match="is FILLED and cannot be cancelled"):
            cancel(connection, order)
        with pytest.raises(OrderOver, match="is FILLED and cannot be modified"):
            modify(connection, order, Change(quantity=2))
        with pytest.raises(OrderNotFound, match="there is none with this id"), connection.writing():
            orders.request_cancel(connection, uuid.uuid4(), "nobody's")
        with pytest.raises(OrderNotFound), connection.writing():
            orders.request_modify(connection, uuid.uuid4(), Change(quantity=1), Limits())


def test_cancels_pass_in_every_trading_state(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        placed = [accepted(connection, client_order_id=name, **LIMIT) for name in "ab"]
        for order, state in zip(placed, (TradingState.REDUCING, TradingState.HALTED), strict=True):
            record(connection, change(state))
            assert cancel(connection, order).status is Status.PENDING_CANCEL


def test_change_is_asked_for_whole_and_once(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order = accepted(connection, quantity=10, **LIMIT)
        asked, denial = modify(connection, order, Change(limit_price=Decimal("100.50")))
        assert (asked.status, asked.change, denial) == (Status.PENDING_MODIFY, Terms(10, Decimal("100.50")), None)
        assert modify(connection, order, Change(limit_price=Decimal("100.50"))) == (asked, None)
        with pytest.raises(OrderBusy, match="another change is on its way"):
            modify(connection, order, Change(quantity=5))
        orders.append(connection, asked, Modified(10, Decimal("100.50")))
        assert modify(connection, order, Change(10, Decimal("100.50")))[0].status is Status.ACCEPTED
    assert kinds(stage).count("MODIFY_REQUESTED") == 1


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Change(quantity=20_000), "RISK_QTY: qty=20000 max=10000"),
        (Change(limit_price=Decimal("100.05")), "RISK_TICK: price=100.05 tick=0.10"),
        (Change(limit_price=Decimal("150")), "RISK_DEVIATION: price=150 last=100 max_percent=10"),
    ],
)
def test_denied_change_is_booked_with_its_code_and_leaves_the_order(stage: Stage, wanted: Change, reason: str) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order = accepted(connection, **LIMIT)
        after, denial = modify(connection, order, wanted)
        assert denial is not None
        assert str(denial) == after.reason == reason
        assert (after.status, after.terms) == (Status.ACCEPTED, order.terms)
    assert kinds(stage)[-2:] == ["MODIFY_REQUESTED", "MODIFY_REJECTED"]


def test_halted_an_order_can_be_made_smaller_but_not_larger(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order = accepted(connection, quantity=10, **LIMIT)
        record(connection, change(TradingState.HALTED))
        _, denial = modify(connection, order, Change(quantity=11))
        assert denial
        assert denial.code is DenyCode.HALTED
        assert modify(connection, order, Change(quantity=9))[1] is None


@pytest.mark.parametrize(
    ("before", "wanted", "error", "said"),
    [
        ("partial", Change(quantity=4), InvalidOrder, "quantity=4: 4 are filled already; cancel the rest"),
        ("partial", Change(trigger_price=AT_101), InvalidOrder, "trigger_price=101.00: a LIMIT order has none"),
        ("partial", Change(limit_price=Decimal(-1)), InvalidOrder, "limit_price=-1: a LIMIT order needs a price"),
        ("partial", Change(quantity=0), InvalidOrder, "quantity=0: "),
        ("sent", Change(quantity=4), OrderBusy, "is not acknowledged yet"),
        ("new", Change(quantity=4), OrderBusy, "is not acknowledged yet"),
        ("cancelling", Change(quantity=4), OrderBusy, "a cancel is on its way"),
    ],
)
def test_change_that_cannot_be_is_refused_and_books_nothing(
    stage: Stage, before: str, wanted: Change, error: type[Exception], said: str
) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order, _ = place(connection, request(quantity=10, **LIMIT))
        if before != "new":
            order = orders.append(connection, order, Submitted())
        if before in ("partial", "cancelling"):
            order = orders.append(connection, order, Accepted("v", None))
        if before == "partial":
            orders.append(connection, order, fill("t1", 4))
        if before == "cancelling":
            cancel(connection, order)
        booked = kinds(stage)
        with pytest.raises(error, match=said):
            modify(connection, order, wanted)
    assert kinds(stage) == booked


def test_change_on_its_way_counts_with_the_larger_terms(stage: Stage) -> None:
    """Two orders made larger at once must not both pass on money that there is once."""
    open_market(stage)
    with stage.connect() as connection:
        order = accepted(connection, quantity=100, **LIMIT)
        modify(connection, order, Change(quantity=140, limit_price=Decimal("102.00")))
        assert context(connection, request()).exposure == 140 * Decimal("102.00")
        connection.execute("UPDATE account SET capital = 16000 WHERE account = 'main'")
        other = accepted(connection, client_order_id="b", quantity=10, **LIMIT)
        _, denial = modify(connection, other, Change(quantity=30))
        assert denial
        assert denial.code is DenyCode.CASH
        assert modify(connection, other, Change(quantity=12))[1] is None


def test_cancel_all_takes_what_is_open_of_an_account_and_symbol(stage: Stage) -> None:
    open_market(stage)

    def cancelled(connection: Connection, account: str | None, symbol: str | None) -> list[str]:
        with connection.writing():
            found = orders.cancel_all(connection, account, symbol, "risk: all")
        return [order.request.client_order_id for order in found]

    with stage.connect() as connection:
        orders.open_account(connection, "other")
        for name, account in (("a", "main"), ("b", "other"), ("c", "main")):
            accepted(connection, client_order_id=name, account=account, **LIMIT)
        place(connection, request(client_order_id="new"))
        assert cancelled(connection, "main", "TCS") == []
        assert cancelled(connection, "main", "RELIANCE") == ["a", "c", "new"]
        assert cancelled(connection, None, None) == ["a", "b", "c"]
    assert kinds(stage).count("CANCEL_REQUESTED") == 3


def test_memory_catches_up_with_what_others_have_booked(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection, stage.connect() as api:
        first, second = (accepted(connection, client_order_id=name, **LIMIT) for name in "ab")
        cancel(api, second)
        with connection.writing():
            same, moved = orders.catch_up(connection, [second, first])
            assert (same, moved.is_cancel_requested) == (first, True)
            orders.append(connection, moved, Cancelled("on request"))
        assert orders.catch_up(connection, []) == []


def test_accounts_share_one_window_of_orders_and_changes(stage: Stage) -> None:
    """Strategies trade in accounts of their own, and the broker counts them all as one client."""
    open_market(stage)
    with stage.connect() as connection:
        for account in ("one", "two", "three"):
            orders.open_account(connection, account)
        order = accepted(connection, **LIMIT)
    barrier = threading.Barrier(15)

    def one(number: int) -> str | None:
        with stage.connect() as connection:
            barrier.wait()
            wanted = request(
                client_order_id=f"o{number}", account=("one", "two", "three")[number % 3], quantity=1 + number
            )
            with connection.writing():
                return orders.place(connection, wanted, Limits(), paced=False)[0].reason

    with ThreadPoolExecutor(15) as threads:
        reasons = list(threads.map(one, range(15)))
    assert Counter(reasons) == {None: 10, "RISK_RATE: orders_last_second=10 max=10": 5}
    with stage.connect() as connection:
        _, denial = modify(connection, order, Change(limit_price=Decimal("100.50")))
        assert denial
        assert denial.code is DenyCode.RATE
        assert cancel(connection, order).status is Status.PENDING_CANCEL
        time.sleep(1)
        assert place(connection, request(client_order_id="later"), paced=False)[0].status is Status.INITIALIZED


def test_live_orders_are_counted_whoever_places_them(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        for number in range(11):
            wanted = request(client_order_id=f"o{number}", quantity=1 + number, mode=Mode.LIVE, algo_id="A1")
            order, _ = place(connection, wanted, paced=True)
    assert order.reason == "RISK_RATE: orders_last_second=10 max=10"
