"""Every adapter that we ship, held to the contract of `test_broker_contract`."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app.memory_books import MemoryBooks
from tests.app.test_broker_contract import Bench, BrokerContract, VenueContract
from tests.app.test_domain import AT
from tests.app.test_paper import BROKER, MINUTE, bar
from tests.app.venue_server import Fault, VenueServer, mount
from trading.execution.dispatch import Dispatcher
from trading.execution.http.adapter import HttpBroker
from trading.execution.scenario import Scenario
from trading.marketdata.bars import Step

TIMEOUT_S = 1.0


class TestPaper(BrokerContract):
    """The paper venue."""

    @pytest.fixture
    def bench(self) -> Bench:
        numbers = itertools.count(1)
        away = replace(BROKER, scenario=Scenario(seed=7, outage_percent=100))

        def trade(books: MemoryBooks) -> None:
            number = next(numbers)
            at = AT + number * MINUTE
            working = [order for order in books.current() if order.is_working]
            told = BROKER.reports(Step(number, at, (bar(at=at),)), None, working)
            books.book([(report.order, report.event) for report in told])

        def breaks() -> None:
            made.broker, made.dispatcher = away, Dispatcher(away, made.books)

        def mends() -> None:
            made.broker, made.dispatcher = BROKER, Dispatcher(BROKER, made.books)

        made = Bench(BROKER, trade, breaks, mends)
        return made


@pytest.fixture
def server() -> Iterator[VenueServer]:
    made = VenueServer()
    yield made
    made.stop()


@pytest.fixture
def broker(server: VenueServer, tmp_path: Path) -> Iterator[HttpBroker]:
    made = HttpBroker(server.url, mount(tmp_path / "broker"), timeout_s=TIMEOUT_S)
    yield made
    made.close()


class TestHttp(VenueContract):
    """The HTTP broker, against a server on loopback."""

    @pytest.fixture
    def bench(self, server: VenueServer, broker: HttpBroker) -> Bench:
        def trade(_: MemoryBooks) -> None:
            for placed in server.venue.orders.values():
                if placed.terms.limit_price and placed.terms.limit_price > 1000 and not placed.trades:
                    server.venue.trade(placed.name, placed.terms.quantity)

        def breaks() -> None:
            server.faults.extend([Fault.ERROR_BEFORE] * 99)
            server.book_faults.extend([Fault.ERROR_BEFORE] * 99)

        def mends() -> None:
            server.faults.clear()
            server.book_faults.clear()

        return Bench(
            broker,
            trade,
            breaks,
            mends,
            loses=lambda: server.faults.append(Fault.RESET_AFTER),
            placed=lambda tag: len(server.venue.tagged(tag)),
        )
