"""Bodies and parameters of backtests."""

from decimal import Decimal
from enum import StrEnum
from math import prod
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from trading.api.schemas.base import Amount, At, Fraction, Model, Name, Page, PageQuery, example
from trading.backtest.options import NAMED

SPEC: dict[str, Any] = {
    "strategies": [{"kind": "ema", "parameters": {"fast": 10, "slow": 30}}],
    "data": "synthetic",
    "steps": 1000,
    "seed": 1,
    "capital": "1000000",
}
MOST_RUNS = 1000
ParameterName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
BACKTEST = {
    "id": "0f3a3a3e-2f64-4d0b-8f0a-5a2f6c9f2b11",
    "submitted_by": "platform",
    "submitted_at": "2026-01-05T10:30:00Z",
    "spec": SPEC,
    "status": "DONE",
    "progress": "1",
    "started_at": "2026-01-05T10:30:02Z",
    "finished_at": "2026-01-05T10:31:10Z",
    "error": None,
}


class StrategyIn(Model):
    """One strategy; without a name it has that of its kind, and what is left out of its parameters the defaults."""

    kind: str = Field(pattern=r"^[a-z0-9-]{1,40}$", examples=["ema"])
    name: Name | None = None
    parameters: dict[str, Any] = Field(default={}, max_length=50)


class WalkForwardIn(Model):
    """How to walk forward: each part but the first is traded with what did best before.

    `anchored` chooses by all that came before, else by the part before alone.
    """

    folds: int = Field(default=5, ge=1, le=50)
    anchored: bool = True


class SubmitBacktest(Model):
    """What to run. With `sweep`, values by parameter of the first strategy, it is run once for each combination."""

    model_config = example(**SPEC, sweep={"fast": [8, 10, 12]}, walk_forward={"folds": 4})

    strategies: list[StrategyIn] = Field(min_length=1, max_length=20)
    data: str = Field(
        default="synthetic", pattern=r"^[a-z0-9-]{1,40}$", description="Bars that have a name.", examples=["synthetic"]
    )
    steps: int | None = Field(default=None, ge=1, le=500_000, description="From the first on; `synthetic` needs it.")
    seed: int = Field(default=1, ge=0, lt=2**31, description="Of the synthetic market and of the venue.")
    capital: Amount = Field(default=Decimal(1_000_000), ge=1000, le=10**12, description="Rupees of each strategy.")
    sweep: dict[ParameterName, list[bool | int | float | str]] = Field(default={}, max_length=5)
    walk_forward: WalkForwardIn | None = None

    @field_validator("data")
    @classmethod
    def _has_a_name(cls, data: str) -> str:
        if data not in NAMED:
            raise ValueError(f"must be one of {', '.join(NAMED)}; files are for the command line")
        return data

    @model_validator(mode="after")
    def _size(self) -> Self:
        if self.data == "synthetic" and self.steps is None:
            raise ValueError("steps: the synthetic market has no end; give a number")
        runs = prod(map(len, self.sweep.values()))
        if not 1 <= runs <= MOST_RUNS:
            raise ValueError(f"sweep: must have 1 to {MOST_RUNS} combinations")
        if self.walk_forward and not self.sweep:
            raise ValueError("walk_forward: has nothing to choose from; give it a sweep")
        return self


class BacktestStatus(StrEnum):
    """How far a backtest is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class BacktestOut(Model):
    """A backtest that was asked for."""

    model_config = example(**BACKTEST)

    id: UUID
    submitted_by: str
    submitted_at: At
    spec: dict[str, Any]
    status: BacktestStatus
    progress: Fraction = Field(description="0 to 1.")
    started_at: At | None
    finished_at: At | None
    error: str | None


class BacktestList(Page):
    """A page of backtests, newest first."""

    model_config = example(backtests=[BACKTEST], next_cursor=None)

    backtests: list[BacktestOut]


class BacktestQuery(PageQuery):
    """Which backtests to list."""

    status: BacktestStatus | None = None


class BacktestResult(Model):
    """What came out of a backtest that is done."""

    model_config = example(id=BACKTEST["id"], result={"run": {"digest": "9f2c", "statuses": {"FILLED": 120}}})

    id: UUID
    result: dict[str, Any]
