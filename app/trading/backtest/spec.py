"""What a backtest is asked to do: JSON that is checked whole before anything is read."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trading.backtest.run import BacktestError, Setup
from trading.execution.scenario import Scenario
from trading.execution.sizing import CAPITAL
from trading.marketdata.source import SYNTHETIC
from trading.risk.checks import Limits
from trading.strategies.base import Strategy
from trading.strategies.registry import build

MOST_RUNS = 1000
Value = bool | int | float | str


class StrategySpec(BaseModel):
    """One strategy; without a name it has that of its kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(max_length=40)]
    name: Annotated[str | None, Field(max_length=40)] = None
    parameters: dict[str, Any] = {}

    def build(self, changes: Mapping[str, Value] | None = None) -> Strategy:
        """The strategy, with some parameters changed.

        Raises:
            StrategyError: see `trading.strategies.registry.build`.
        """
        return build(self.kind, self.name or self.kind, {**self.parameters, **(changes or {})})


class WalkForward(BaseModel):
    """How to walk forward: the steps are cut in `folds` + 1 parts, each but the first traded with what did best before.

    `anchored` chooses by all that came before, else by the part before alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: Annotated[int, Field(ge=1, le=50)] = 5
    anchored: bool = True


class BacktestSpec(BaseModel):
    """One run; or one for each combination of `sweep`, values by parameter of the first strategy; or a walk forward.

    Attributes:
        data: see `trading.backtest.data.open_data`.
        steps: from the first on; the synthetic market needs it.
        seed: of the synthetic market and of the venue.
        capital: rupees of each strategy.
        processes: that share a sweep; None for one a core.
        by_arrays: see `Setup`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategies: Annotated[tuple[StrategySpec, ...], Field(min_length=1, max_length=20)]
    data: Annotated[str, Field(min_length=1, max_length=4000)] = SYNTHETIC
    steps: Annotated[int | None, Field(ge=1)] = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    capital: Annotated[Decimal, Field(ge=1000, le=Decimal(10) ** 12)] = CAPITAL
    sweep: dict[str, Annotated[list[Value], Field(min_length=1, max_length=MOST_RUNS)]] = {}
    walk_forward: WalkForward | None = None
    processes: Annotated[int | None, Field(ge=1, le=256)] = None
    by_arrays: bool = True

    @model_validator(mode="after")
    def _size(self) -> Self:
        runs = 1
        for values in self.sweep.values():
            runs *= len(values)
        if runs > MOST_RUNS:
            raise ValueError(f"sweep: has {runs} combinations; give {MOST_RUNS} or fewer")
        if self.walk_forward and not self.sweep:
            raise ValueError("walk_forward: has nothing to choose from; give it a sweep")
        return self

    def combinations(self) -> list[dict[str, Value]]:
        """The changes of each run of the sweep; one without any when there is none."""
        return [dict(zip(self.sweep, values, strict=True)) for values in product(*self.sweep.values())]

    def setup(self, changes: Mapping[str, Value] | None = None) -> Setup:
        """The setup of one run.

        Raises:
            StrategyError: a strategy cannot be made.
        """
        first, *others = self.strategies
        return Setup(
            strategies=[first.build(changes), *(strategy.build() for strategy in others)],
            scenario=Scenario(seed=self.seed),
            limits=Limits(),
            capital=self.capital,
            by_arrays=self.by_arrays,
        )


def parse(raw: Mapping[str, Any]) -> BacktestSpec:
    """The spec in a JSON object, with every strategy of every combination built once.

    Raises:
        BacktestError: one line a field that breaks a rule.
        StrategyError: a strategy cannot be made.
    """
    try:
        spec = BacktestSpec.model_validate(raw)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']}; correct it" for e in error.errors()]
        raise BacktestError("\n".join(lines)) from None
    for changes in spec.combinations():
        spec.setup(changes)
    return spec
