"""The last closed bars of each symbol: all that a strategy ever sees."""

from collections import deque
from collections.abc import Sequence

from trading.marketdata.bars import Bar, Step


class History:
    """A window of closed bars a symbol, newest last."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._bars: dict[str, deque[Bar]] = {}

    def push(self, step: Step) -> None:
        """Add a step's bars; the oldest beyond the window are forgotten."""
        for bar in step.bars:
            self._bars.setdefault(bar.symbol, deque(maxlen=self._window)).append(bar)

    def last(self, symbol: str, count: int) -> Sequence[Bar] | None:
        """The newest `count` bars, oldest first; None while there are fewer."""
        bars = self._bars.get(symbol, ())
        return list(bars)[-count:] if len(bars) >= count else None
