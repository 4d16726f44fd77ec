"""What the books of orders say about themselves."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from drills.orders import Booked, booked, judged
from trading.domain.events import Accepted, Filled, Initialized, OrderEvent, Submitted, to_payload
from trading.marketdata.bars import IST

AT = datetime(2026, 1, 5, 10, tzinfo=IST)
FILLED = Filled("paper", "17-1", 1, Decimal("10.5"), AT)
LIFE = (Initialized(), Submitted(), Accepted("P1", AT), FILLED)


def row(*events: OrderEvent, status: str = "FILLED", filled: int = 1) -> dict[str, Any]:
    """A row as the query of the books gives it."""
    return {
        "key": 4, "client_order_id": "drill-7-4", "account": "main", "symbol": "INFY", "side": "SELL",
        "type": "MARKET", "product": "MIS", "time_in_force": "DAY", "quantity": 1, "status": status, "filled": filled,
        "events": [{"kind": e.kind, "payload": to_payload(e), "at": 100.0 + n} for n, e in enumerate(events)],
    }  # fmt: skip


def test_an_order_that_lived_as_orders_do_has_no_problem() -> None:
    assert booked(row(*LIFE)) == Booked(key=4, traded_at=103.0, trades=("paper/17-1",), problem="")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (row(*LIFE, FILLED), "does not admit FILLED"),
        (row(Submitted(), *LIFE), "first event is SUBMITTED"),
        (row(*LIFE, status="ACCEPTED"), "drill-7-4: is ACCEPTED, and FILLED by its events"),
    ],
)
def test_a_life_that_cannot_be_is_told(wrong: dict[str, Any], says: str) -> None:
    assert says in booked(wrong).problem


def test_everything_that_is_wrong_with_the_books_is_named() -> None:
    twice = [Booked(1, 1.0, ("paper/1",), ""), Booked(2, 2.0, ("paper/1",), "")]
    assert judged(twice[:1], "", "") == ""
    told = judged(twice, "INFY of main", "orphan: the venue has BUY 1")
    assert told == (
        "1 trades are booked twice; positions are not the sum of their fills: INFY of main; "
        "the platform has halted: orphan: the venue has BUY 1"
    )
