"""Bodies and parameters of backtests."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from trading.api.schemas.base import At, Fraction, Model, Name, Page, PageQuery, example

SPEC = {"strategies": ["ema-crossover"], "seed": 1, "steps": 1000}
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


class SubmitBacktest(Model):
    """What to run on synthetic bars."""

    model_config = example(strategies=["ema-crossover"], seed=1, steps=1000)

    strategies: list[Name] = Field(min_length=1, max_length=20, description="Names of strategies.")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="Of the synthetic market.")
    steps: int = Field(default=1000, ge=1, le=100_000, description="Bars of each symbol.")


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

    model_config = example(id=BACKTEST["id"], result={"net_pnl": "965.65", "orders": 120})

    id: UUID
    result: dict[str, Any]
