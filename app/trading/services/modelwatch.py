"""What the metrics say of a strategy's model: its age, whether that is too old, and how far its features have moved."""

import time

from prometheus_client import Gauge

from trading.marketdata.history import Market
from trading.strategies.base import Modelled, Strategy

AGE = Gauge("trading_strategy_model_age_days", "Days from the newest bar of a model's training to now", ["strategy"])
STALE = Gauge("trading_strategy_model_stale", "1 for a model that is too old to be traded by", ["strategy"])
DRIFT = Gauge(
    "trading_strategy_feature_drift",
    "Population stability index of a feature against the model's training",
    ["strategy", "feature"],
)
PERIOD_S = 15.0  # measuring drift looks at thousands of bars; between two scrapes once is enough


def forget() -> None:
    """Say nothing any more of models that may not trade now."""
    for gauge in (AGE, STALE, DRIFT):
        gauge.clear()


class ModelWatch:
    """Looks at the model of one strategy, if it has any, now and then."""

    def __init__(self, strategy: Strategy) -> None:
        self._name = strategy.name
        self._strategy = strategy if isinstance(strategy, Modelled) else None
        self._due = 0.0

    def look(self, market: Market) -> None:
        """Bring the metrics up to date when it is time."""
        if self._strategy is None or time.monotonic() < self._due:
            return
        fit = self._strategy.fit(market)
        if fit is None:
            return
        AGE.labels(self._name).set(fit.age_days)
        STALE.labels(self._name).set(fit.is_stale)
        for feature, index in fit.drift.items():
            DRIFT.labels(self._name, feature).set(index)
        if fit.drift:
            self._due = time.monotonic() + PERIOD_S
