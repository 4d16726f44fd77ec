"""One peer over the bars of a file: EMA 10/30, long or flat, market orders at the next bar, 0.1 % of charges a side.

    play.py PEER BARS.npz

Prints one JSON line: bars, orders, seconds of CPU and of the clock for the run alone. Runs in an environment of its
own, which `uv.lock` beside it describes.
"""

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pandas as pd

FAST, SLOW, CHARGE, CASH, SHARES = 10, 30, 0.001, 1_000_000_000, 100


def backtesting_py(frame: pd.DataFrame) -> Callable[[], int]:
    """The package `backtesting`."""
    from backtesting import Backtest, Strategy

    def average(values: np.ndarray, span: int) -> np.ndarray:
        return pd.Series(values).ewm(span=span, adjust=False).mean().to_numpy()

    class Cross(Strategy):
        def init(self) -> None:
            self.fast = self.I(average, self.data.Close, FAST)
            self.slow = self.I(average, self.data.Close, SLOW)

        def next(self) -> None:
            if self.fast[-1] > self.slow[-1]:
                if not self.position:
                    self.buy(size=SHARES)
            elif self.position:
                self.position.close()

    test = Backtest(frame, Cross, cash=CASH, commission=CHARGE, finalize_trades=True)
    return lambda: 2 * int(test.run()["# Trades"])


def backtrader(frame: pd.DataFrame) -> Callable[[], int]:
    """The package `backtrader`."""
    import backtrader as bt

    class Cross(bt.Strategy):
        def __init__(self) -> None:
            self.count = 0
            self.fast = bt.ind.EMA(self.data.close, period=FAST)
            self.slow = bt.ind.EMA(self.data.close, period=SLOW)

        def next(self) -> None:
            if self.fast[0] > self.slow[0]:
                if not self.position:
                    self.count += 1
                    self.buy(size=SHARES)
            elif self.position:
                self.count += 1
                self.close()

    engine = bt.Cerebro(stdstats=False)
    engine.adddata(bt.feeds.PandasData(dataname=frame.tz_localize(None)))
    engine.addstrategy(Cross)
    engine.broker.setcash(CASH)
    engine.broker.setcommission(commission=CHARGE)
    return lambda: int(engine.run()[0].count)


def nautilus(frame: pd.DataFrame) -> Callable[[], int]:
    """The package `nautilus_trader`."""
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.indicators import ExponentialMovingAverage
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import Bar, BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
    from nautilus_trader.model.instruments import Equity
    from nautilus_trader.model.objects import Money, Price, Quantity
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.trading.strategy import Strategy

    venue = Venue("SIM")
    equity = Equity(
        instrument_id=InstrumentId(Symbol("S00"), venue),
        raw_symbol=Symbol("S00"),
        currency=USD,
        price_precision=2,
        price_increment=Price.from_str("0.05"),
        lot_size=Quantity.from_int(1),
        maker_fee=Decimal(str(CHARGE)),
        taker_fee=Decimal(str(CHARGE)),
        ts_event=0,
        ts_init=0,
    )
    kind = BarType.from_str("S00.SIM-1-MINUTE-LAST-EXTERNAL")

    class Cross(Strategy):
        def on_start(self) -> None:
            self.count = 0
            self.fast, self.slow = ExponentialMovingAverage(FAST), ExponentialMovingAverage(SLOW)
            self.register_indicator_for_bars(kind, self.fast)
            self.register_indicator_for_bars(kind, self.slow)
            self.subscribe_bars(kind)

        def on_bar(self, bar: Bar) -> None:
            if not self.slow.initialized:
                return
            if self.fast.value > self.slow.value:
                if self.portfolio.is_flat(equity.id):
                    self._send(OrderSide.BUY)
            elif self.portfolio.is_net_long(equity.id):
                self._send(OrderSide.SELL)

        def _send(self, side: OrderSide) -> None:
            self.count += 1
            self.submit_order(self.order_factory.market(equity.id, side, Quantity.from_int(SHARES)))

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(venue, OmsType.NETTING, AccountType.CASH, [Money(CASH, USD)], base_currency=USD)
    engine.add_instrument(equity)
    engine.add_data(BarDataWrangler(kind, equity).process(frame.rename(columns=str.lower)))
    strategy = Cross()
    engine.add_strategy(strategy)

    def run() -> int:
        engine.run()
        return int(strategy.count)

    return run


PEERS = {"backtesting": backtesting_py, "backtrader": backtrader, "nautilus_trader": nautilus}


def main(peer: str, path: str) -> None:
    """Load, then time the run alone."""
    with np.load(path) as bars:
        frame = pd.DataFrame(
            {name: bars[name.lower()] / 100 for name in ("Open", "High", "Low", "Close")},
            index=pd.to_datetime(bars["at"], unit="s", utc=True),
        )
        frame["Volume"] = bars["volume"].astype(float)
    run = PEERS[peer](frame)
    clock, cpu = time.perf_counter(), time.process_time()
    orders = run()
    seconds = {"cpu_s": time.process_time() - cpu, "clock_s": time.perf_counter() - clock}
    sys.stdout.write(json.dumps({"name": peer, "bars": len(frame), "orders": orders, **seconds}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
