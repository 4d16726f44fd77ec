"""A paper venue: takes every order and fills it from the bars that follow.

It keeps no state: working orders are what our own ledger says, chance is a hash of seed and market facts, and so a
restarted engine gets the same fills with the same trade ids. Prices are the bid or ask around the next bar, never the
bar on which the decision was made; quantity is limited to a part of the bar's volume.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_UP, Decimal

from trading.costs.table import CostTable, nse_equity
from trading.domain.events import Accepted, Cancelled, Expired, Filled, Rejected
from trading.domain.instruments import Instrument
from trading.domain.lifecycle import apply
from trading.domain.orders import Mode, Order, OrderType, Side, TimeInForce
from trading.domain.prices import BASIS_POINT, to_tick
from trading.execution.broker import Report
from trading.marketdata.bars import Bar, Step

HALF_SPREAD = 2 * BASIS_POINT
PARTICIPATION_PERCENT = (5, 15)  # of a bar's volume, for all our orders in it together


@dataclass(frozen=True, slots=True)
class PaperBroker:
    """See the module.

    Attributes:
        seed: of the volume that a bar leaves to us.
        instruments: by symbol; an order in any other is rejected.
        costs: what its contract notes add to a trade.
    """

    seed: int
    instruments: Mapping[str, Instrument]
    costs: CostTable = field(default_factory=nse_equity)
    venue: str = field(default="paper", init=False)
    mode: Mode = field(default=Mode.PAPER, init=False)

    def submit(self, order: Order, market_time: datetime | None) -> Accepted | Rejected:
        """See `BrokerAdapter.submit`; safe to repeat."""
        if order.request.mode is not self.mode:
            return Rejected(f"mode={order.request.mode}: {self.venue} takes {self.mode} orders only")
        if order.request.symbol not in self.instruments:
            return Rejected(f"symbol={order.request.symbol} is not traded at {self.venue}")
        return Accepted(_hash(self.venue, order.order_id), market_time)

    def query(self, order: Order, market_time: datetime | None) -> Accepted | Rejected:
        """See `BrokerAdapter.query`: the venue's state is our ledger, so asking is as good as submitting."""
        return self.submit(order, market_time)

    def reports(self, step: Step, previous_at: datetime | None, working: Sequence[Order]) -> Sequence[Report]:
        """See `BrokerAdapter.reports`."""
        bars = {bar.symbol: bar for bar in step.bars}
        room = {symbol: self._room(bar) for symbol, bar in bars.items()}
        result: list[Report] = []
        for order in working:
            if _session_over(order, step, previous_at):
                result.append(Report(order, Expired("the session of the order has ended")))
                continue
            bar = bars.get(order.request.symbol)
            for report in self._match(order, step, bar, room) if bar else ():
                result.append(report)
        return result

    def _match(self, order: Order, step: Step, bar: Bar, room: dict[str, int]) -> Iterator[Report]:
        price = self._price(order, bar)
        lot = self.instruments[bar.symbol].lot_size
        quantity = min(order.remaining, room[bar.symbol] // lot * lot)
        if price is not None and quantity > 0:
            room[bar.symbol] -= quantity
            trade_id = _hash(self.venue, order.order_id, step.number, bar.at.isoformat(), quantity, price)
            rates = self.costs.rates(bar.at.date(), order.request.product, order.request.side)
            charges = rates.total(price * quantity, order.filled_value)
            fill = Filled(self.venue, trade_id, quantity, price, bar.at, charges)
            yield Report(order, fill)
            order = apply(order, fill)
        if order.is_open and order.request.time_in_force is TimeInForce.IOC:
            yield Report(order, Cancelled("IOC remainder"))

    def _price(self, order: Order, bar: Bar) -> Decimal | None:
        """The price at which the order trades in this bar: at its open if it is marketable then, else at its limit."""
        tick = self.instruments[bar.symbol].tick_size
        half = max(tick, to_tick(bar.open * HALF_SPREAD, tick, ROUND_UP)) * order.request.side.sign
        limit = order.request.limit_price
        if order.request.order_type is OrderType.MARKET or limit is None:
            return max(bar.open + half, tick)
        best = bar.low if order.request.side is Side.BUY else bar.high
        for touch, price in ((bar.open + half, bar.open + half), (best + half, limit)):
            if (limit - touch) * order.request.side.sign >= 0:
                return max(price, tick)
        return None

    def _room(self, bar: Bar) -> int:
        low, high = PARTICIPATION_PERCENT
        percent = low + int(_hash(self.seed, bar.symbol, bar.at.isoformat()), 16) % (high - low + 1)
        return bar.volume * percent // 100


def _session_over(order: Order, step: Step, previous_at: datetime | None) -> bool:
    """Whether a DAY order has lived in an earlier session: it had a bar after its acceptance, and a new day begins."""
    if order.request.time_in_force is not TimeInForce.DAY or previous_at is None:
        return False
    lived = order.accepted_at is None or order.accepted_at < previous_at
    return lived and step.at.date() > previous_at.date()


def _hash(*facts: object) -> str:
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()[:24]
