"""The real NASDAQ bars from file to fills, with the digest of the order list as the golden value.

A change of the digest is a change of what the engine trades: look at the first differing order before renewing it.
"""

from collections import Counter
from decimal import Decimal
from itertools import islice
from pathlib import Path

from tests.app.ledger import MemoryLedger, lines, run
from tests.app.nasdaq import write
from trading.backtest.orderlist import digest
from trading.domain.events import Filled
from trading.domain.lifecycle import fold
from trading.execution.desk import Desk
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario
from trading.marketdata.source import Source, open_source
from trading.strategies.ema import EmaParameters, EmaTrend

GOLDEN_NASDAQ = "68ee56a7fd060c4599f00b38468ebe320ef4a95fcac65e33ad448e9a15342bad"
GOLDEN_SYNTHETIC = "4072e4c2b5574b49414bc484857c592f3bb79e1b1bee5eb9a7c1222a1b58fe92"


def trade(source: Source, steps: int) -> MemoryLedger:
    listed = {instrument.symbol: instrument for instrument in source.instruments}
    desk = Desk((EmaTrend("ema-crossover", EmaParameters()),), listed)
    return run(desk, PaperBroker(Scenario(seed=7), listed), islice(source.steps(1), steps), source.feed_id)


def test_nasdaq(tmp_path: Path) -> None:
    path = tmp_path / "nasdaq.csv"
    rows = write(path)
    ledger = trade(open_source(str(path), seed=7), rows)
    booked = lines(ledger)
    assert rows == 5031
    assert Counter(o.status for o in ledger.orders.values()).keys() == {"FILLED"}
    assert (len(booked), digest(booked)) == (128, GOLDEN_NASDAQ), booked[:3]


def test_synthetic_session() -> None:
    ledger = trade(open_source("synthetic", seed=7), 380)
    booked = lines(ledger)
    assert Counter(o.status.value for o in ledger.orders.values()).keys() <= {"FILLED", "INITIALIZED"}
    assert (len(booked), digest(booked)) == (157, GOLDEN_SYNTHETIC), booked[:3]
    for order_id, order in ledger.orders.items():
        assert fold(order.request, ledger.events[order_id]) == order


def test_no_order_is_filled_on_the_bar_that_caused_it() -> None:
    source = open_source("synthetic", seed=3)
    bars = {(step.number, bar.symbol): bar for step in islice(source.steps(1), 300) for bar in step.bars}
    ledger = trade(source, 300)
    for order_id, order in ledger.orders.items():
        cause = int(order.request.client_order_id.split("-")[5])
        for fill in (e for e in ledger.events[order_id] if isinstance(e, Filled)):
            assert fill.market_time > bars[cause, order.request.symbol].at
            bar = bars[cause + 1, order.request.symbol]
            if fill.market_time == bar.at:
                assert (fill.price - bar.open) * order.request.side.sign > Decimal(0)
