"""Bodies and parameters of limits and the kill switch."""

from pydantic import Field

from trading.api.schemas.base import Amount, At, Model, Page, PageQuery, Percent, Reason, example
from trading.risk.killswitch import Cause, TradingState

CHANGE = {
    "seq": 3,
    "state": "REDUCING",
    "cause": "OPERATOR",
    "reason": "maintenance of the data feed",
    "actor": "platform",
    "recorded_at": "2026-01-05T09:20:00Z",
}


class LimitsOut(Model):
    """What one account may do; every order is held to it before it is sent."""

    model_config = example(
        max_quantity=10_000,
        max_notional="1000000",
        max_position="2500000",
        max_exposure="20000000",
        max_strategy_exposure="10000000",
        max_deviation_percent="10",
        max_protection_percent="5",
        max_orders_a_second=10,
        duplicate_window_s="0.1",
    )

    max_quantity: int = Field(description="Shares in one order.")
    max_notional: Amount = Field(description="Rupees in one order.")
    max_position: Amount = Field(description="Rupees in one symbol, open orders counted as filled.")
    max_exposure: Amount = Field(description="Rupees in all positions of the account.")
    max_strategy_exposure: Amount = Field(description="Rupees in all positions of one strategy.")
    max_deviation_percent: Percent = Field(description="Of a price from the last one.")
    max_protection_percent: Percent = Field(description="Of market protection.")
    max_orders_a_second: int = Field(description="Orders of an account within a second.")
    duplicate_window_s: Amount = Field(description="Seconds in which an equal order is taken for a double dispatch.")


class StateChangeOut(Model):
    """One change of the kill switch."""

    seq: int
    state: TradingState
    cause: Cause
    reason: str
    actor: str
    recorded_at: At


class StateOut(Model):
    """What may be traded: everything, what shrinks positions, or nothing; and the change that made it so."""

    model_config = example(state="REDUCING", since=CHANGE)

    state: TradingState
    since: StateChangeOut | None = Field(description="Null before the first change; it is ACTIVE then.")


class SetState(Model):
    """The state to change to. Everybody who trades may tighten; to loosen takes the role `risk`."""

    model_config = example(state="HALTED", reason="maintenance of the data feed")

    state: TradingState
    reason: Reason


class StateChangeList(Page):
    """A page of the kill switch's changes, newest first."""

    model_config = example(changes=[CHANGE], next_cursor=None)

    changes: list[StateChangeOut]


class StateChangeQuery(PageQuery):
    """Which changes to list."""
