"""The last closed bars of each symbol: all that a strategy ever sees."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from trading.marketdata.bars import Bar, Step


class Market:
    """The closed bars at one moment, as a strategy with a window sees them.

    Attributes:
        at: begin of the newest bars.
        symbols: those with a bar at that moment, in order.
    """

    __slots__ = ("_bars", "_window", "at", "symbols")

    def __init__(self, at: datetime, symbols: Sequence[str], bars: Mapping[str, Sequence[Bar]], window: int) -> None:
        self.at = at
        self.symbols = symbols
        self._bars = bars
        self._window = window

    def bars(self, symbol: str) -> Sequence[Bar] | None:
        """Exactly the newest `window` bars of a symbol, oldest first; None while there are fewer."""
        bars = self._bars.get(symbol, ())
        if len(bars) < self._window:
            return None
        return list(bars)[-self._window :]


class History:
    """A window of closed bars a symbol, newest last."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._bars: dict[str, deque[Bar]] = {}

    def push(self, step: Step) -> None:
        """Add a step's bars; the oldest beyond the window are forgotten."""
        self.fill(step.bars)

    def fill(self, bars: Iterable[Bar]) -> None:
        """Add bars, those of a symbol oldest first; what is not newer than its newest is there already."""
        for bar in bars:
            kept = self._bars.setdefault(bar.symbol, deque(maxlen=self._window))
            if not kept or kept[-1].at < bar.at:
                kept.append(bar)

    def market(self, step: Step, window: int) -> Market:
        """What a strategy with a window sees after a step that was pushed last."""
        return Market(step.at, [bar.symbol for bar in step.bars], self._bars, window)
