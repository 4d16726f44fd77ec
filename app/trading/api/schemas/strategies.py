"""Bodies and parameters of strategies."""

from decimal import Decimal
from typing import Any

from pydantic import Field

from trading.api.schemas.base import Amount, At, Fraction, Model, Page, PageQuery, Reason, Symbol, example

STRATEGY = {
    "name": "ema-crossover",
    "kind": "ema",
    "is_enabled": True,
    "parameters": {"fast": 10, "slow": 30},
    "version": 1,
    "algo_id": None,
}


class StrategyOut(Model):
    """A strategy; `version` grows with every change of it."""

    model_config = example(**STRATEGY)

    name: str
    kind: str
    is_enabled: bool
    parameters: dict[str, Any]
    version: int
    algo_id: str | None = Field(description="The exchange's tag, without which no LIVE order of it is sent.")


class StrategyList(Page):
    """A page of strategies by name."""

    model_config = example(strategies=[STRATEGY], next_cursor=None)

    strategies: list[StrategyOut]


class ChangeStrategy(Model):
    """Why a strategy is enabled or disabled."""

    model_config = example(reason="maintenance of the data feed")

    reason: Reason


class SetParameters(Model):
    """New parameters, whole and not as differences; they hold from the next step of the market on."""

    model_config = example(
        parameters={"fast": 12, "slow": 40}, version=1, reason="slower averages after the walk-forward"
    )

    parameters: dict[str, Any] = Field(description="As the kind's schema says.", max_length=50)
    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Of which this is a change; refused when it has changed since."
    )
    reason: Reason


class SetAlgo(Model):
    """The exchange's tag of a strategy; its orders carry it from the next step of the market on."""

    model_config = example(algo_id="1012345678901", version=1, reason="registered with the exchange")

    algo_id: str = Field(max_length=40, pattern="^[A-Za-z0-9_-]*$", description="Empty takes it away.")
    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Of which this is a change; refused when it has changed since."
    )
    reason: Reason


class StrategyChangeOut(Model):
    """A state that a strategy has had."""

    version: int
    is_enabled: bool
    parameters: dict[str, Any]
    algo_id: str | None
    actor: str
    reason: str
    recorded_at: At


class StrategyChangeList(Page):
    """A page of a strategy's changes, newest first."""

    model_config = example(
        changes=[
            {
                "version": 1,
                "is_enabled": True,
                "parameters": {"fast": 10, "slow": 30},
                "algo_id": None,
                "actor": "platform",
                "reason": "begin",
                "recorded_at": "2026-01-05T03:45:00Z",
            }
        ],
        next_cursor=None,
    )

    changes: list[StrategyChangeOut]


class SignalOut(Model):
    """What a strategy wanted of a symbol after a step: a share of its capital, below 0 when short."""

    at: At
    symbol: str
    target: Fraction
    detail: dict[str, Any]


class SignalList(Page):
    """A page of a strategy's signals, newest first."""

    model_config = example(
        signals=[
            {
                "at": "2026-01-05T09:20:00+05:30",
                "symbol": "RELIANCE",
                "target": "0.02",
                "detail": {"fast": "2901.10", "slow": "2896.40"},
            }
        ],
        next_cursor=None,
    )

    signals: list[SignalOut]


class SignalQuery(PageQuery):
    """Which signals to list."""

    symbol: Symbol | None = None


class PerformanceOut(Model):
    """How a strategy has done in its own account, rupees; figures are null where there is nothing to measure."""

    model_config = example(
        name="ema-crossover",
        net_pnl="965.65",
        realised_pnl="1200.00",
        unrealised_pnl="-150.25",
        charges="84.10",
        trades=12,
        traded_value="348000.00",
        return_on_capital="0.000097",
        max_drawdown="0.0004",
    )

    name: str
    net_pnl: Amount
    realised_pnl: Amount
    unrealised_pnl: Amount
    charges: Amount
    trades: int
    traded_value: Amount
    return_on_capital: Fraction | None
    max_drawdown: Fraction | None = Field(description="The deepest fall of equity from its peak, as a fraction of it.")


def fraction(value: Decimal) -> Decimal:
    """To six decimals: figures for people."""
    return value.quantize(Decimal("0.000001"))


class KindOut(Model):
    """A kind of strategy, and the JSON schema of its parameters."""

    kind: str
    title: str
    is_beta: bool = Field(description="Whether its parameters may still change in meaning.")
    parameters: dict[str, Any]


class KindList(Page):
    """A page of the kinds of strategies that this version knows, by name."""

    model_config = example(
        kinds=[
            {
                "kind": "ema",
                "title": "EMA trend",
                "is_beta": False,
                "parameters": {"type": "object", "properties": {"fast": {"type": "integer"}}},
            }
        ],
        next_cursor=None,
    )

    kinds: list[KindOut]
