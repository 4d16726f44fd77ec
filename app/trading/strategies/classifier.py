"""A classifier of the next move (beta): trades what a trained model takes for likely, and stops where it cannot know.

`trading backtest train` makes the model. It is a parameter of the strategy, whole, so that what trades is on record
with every change of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from trading.domain.orders import ZERO, Product
from trading.marketdata.history import Market
from trading.strategies.base import Fit, Parameters, Share, Target
from trading.strategies.features import SPAN, features, rows
from trading.strategies.model import Model

EVEN = 0.5


class ClassifierParameters(Parameters):
    """See `Classifier`."""

    model: Annotated[Model | None, Field(description="as `trading backtest train` wrote it; none: it waits")] = None
    threshold: Annotated[float, Field(gt=0.5, lt=1, description="chance of a move that is traded")] = 0.55
    leave: Annotated[float, Field(ge=0.5, lt=1, description="chance up to which a position is closed")] = 0.505
    max_age_days: Annotated[float, Field(gt=0, le=365, description="age from which on the model is stale")] = 30.0
    max_drift: Annotated[float, Field(gt=0, le=10, description="stability index of the features that stops it")] = 0.5
    drift_bars: Annotated[int, Field(ge=20, le=1500, description="bars over which drift is measured")] = 960
    drift_every: Annotated[int, Field(ge=1, le=100, description="of these bars each so many-th is looked at")] = 20
    share: Share = Decimal("0.02")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.model and not self.model.digest:
            raise ValueError("model: has no digest; take the file as it was written")
        if self.leave >= self.threshold:
            raise ValueError(f"leave={self.leave}: must be below threshold={self.threshold}")
        return self


@dataclass(frozen=True, slots=True)
class Classifier:
    """Intraday, long or short each symbol by itself; see `Strategy`. It is flat before the close.

    Without a model, before its training has ended, with a stale one and with features that have drifted it wants
    nothing: what it holds then is closed with the session.
    """

    name: str
    parameters: ClassifierParameters
    kind = "classifier"
    product = Product.MIS

    @property
    def window(self) -> int:
        """What drift is measured over, and the bars that its oldest row is made of."""
        return self.parameters.drift_bars + SPAN - 1

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        own, model = self.parameters, self.parameters.model
        if model is None or self.refusal(market) is not None:
            return {}
        found = {}
        for symbol in market.symbols:
            bars = market.bars(symbol)
            target = self._target(model.chance(features(bars[-SPAN:]))) if bars else None
            if target:
                found[symbol] = target
        if not found:
            return {}
        drift = max(self.drift(market).values(), default=0.0)
        return {} if drift > own.max_drift else {s: _with_drift(target, drift) for s, target in found.items()}

    def refusal(self, market: Market) -> str | None:
        """Why it does not trade, apart from drift; None when it may."""
        model, limit = self.parameters.model, self.parameters.max_age_days
        if model is None:
            return "there is no model; train one"
        age = model.age_days(market.at)
        if age <= 0:
            return "the model has seen these bars in training"
        return f"the model is {age:.1f} days old, the most is {limit}; train it again" if age > limit else None

    def fit(self, market: Market) -> Fit | None:
        """See `Modelled.fit`."""
        model = self.parameters.model
        if model is None:
            return None
        age = model.age_days(market.at)
        return Fit(age, age > self.parameters.max_age_days, self.drift(market))

    def drift(self, market: Market) -> Mapping[str, float]:
        """The model's drift over what the market shows, by feature; empty while there is nothing to measure."""
        sample: list[Sequence[float]] = []
        for symbol in market.symbols:
            bars = market.bars(symbol)
            sample += [row for _, row in rows(bars, self.parameters.drift_every)] if bars else []
        return self.parameters.model.drift(sample) if self.parameters.model and sample else {}

    def _target(self, chance: float) -> Target | None:
        own, detail = self.parameters, {"chance": f"{chance:.4f}"}
        sure = max(chance, 1 - chance)
        if sure <= own.leave:
            return Target(ZERO, detail)
        if sure < own.threshold:
            return None
        return Target(own.share if chance > EVEN else -own.share, detail)


def _with_drift(target: Target, drift: float) -> Target:
    return Target(target.share, {**target.detail, "drift": f"{drift:.3f}"})
