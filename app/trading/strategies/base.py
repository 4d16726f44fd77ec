"""What a strategy is."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from trading.domain.orders import Product
from trading.marketdata.history import Market

NOTHING: Mapping[str, object] = {}
Share = Annotated[Decimal, Field(gt=0, le=1, description="of the capital, in each symbol")]


class Target(NamedTuple):
    """What a strategy wants of one symbol.

    Attributes:
        share: of the strategy's capital, -1 to 1; below 0 is short.
        detail: the numbers behind it, for the audit; JSON values.
    """

    share: Decimal
    detail: Mapping[str, object] = NOTHING


class Parameters(BaseModel):
    """Base of what a kind of strategy can be told; ranges and descriptions are those of its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Strategy(Protocol):
    """A pure function from closed bars to wanted shares of its capital.

    It cannot look ahead: it is given the bars up to now and nothing else, and what it wants is traded at the next bar.
    It keeps nothing between calls, so a restarted engine decides as the old one would have.

    Attributes:
        name: stable; names the account that it trades in and prefixes its order ids.
        kind: under which the registry knows it.
        window: how many closed bars of a symbol it needs; a symbol that has fewer is not traded.
        product: CNC holds and is never short; MIS may be short and is closed before the session ends.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def window(self) -> int: ...

    @property
    def product(self) -> Product: ...

    def targets(self, market: Market) -> Mapping[str, Target]:
        """What it wants now, by symbol; a symbol that is left out stays as it is."""
        ...


class Fit(NamedTuple):
    """How well a model suits the market that is traded.

    Attributes:
        age_days: since the newest bar of its training.
        is_stale: whether it is too old to be traded by.
        drift: population stability index by feature; empty while there are too few bars to measure it.
    """

    age_days: float
    is_stale: bool
    drift: Mapping[str, float]


@runtime_checkable
class Modelled(Protocol):
    """A `Strategy` that trades by a trained model."""

    def fit(self, market: Market) -> Fit | None:
        """How its model suits the market now; None while it has none."""
        ...
