"""The kill switch: a pure state machine that tightens by itself and is loosened by people only.

Cancels pass in every state. The present state is the newest of stored events, so it survives any restart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trading.domain.errors import TradingError
from trading.portfolio.equity import Drawdown


class TradingState(StrEnum):
    """What may be traded: everything; what shrinks positions; nothing."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


STRICTNESS = {state: number for number, state in enumerate(TradingState)}


class Cause(StrEnum):
    """Why the state changed."""

    OPERATOR = "OPERATOR"
    DRAWDOWN = "DRAWDOWN"
    RECONCILIATION = "RECONCILIATION"
    ERROR = "ERROR"
    RESET = "RESET"


class Role(StrEnum):
    """What a person may do: everybody who trades may tighten, a risk manager alone may loosen."""

    TRADER = "TRADER"
    RISK_MANAGER = "RISK_MANAGER"


class KillSwitchError(TradingError):
    """A change of state that is not allowed."""

    code = "KILL_SWITCH"


@dataclass(frozen=True, slots=True)
class Change:
    """One stored change.

    Attributes:
        reason: in words.
        actor: who or what made it.
    """

    state: TradingState
    cause: Cause
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownLimits:
    """From which fall of equity since its peak on trading is reduced or halted, as fractions.

    Raises:
        ValueError: not 0 < reduce <= halt.
    """

    reduce_at: Decimal = Decimal("0.05")
    halt_at: Decimal = Decimal("0.10")

    def __post_init__(self) -> None:
        if not 0 < self.reduce_at <= self.halt_at:
            raise ValueError(f"reduce_at={self.reduce_at}, halt_at={self.halt_at}: must be 0 < reduce_at <= halt_at")


def tighten(state: TradingState, to: TradingState, cause: Cause, reason: str, actor: str) -> Change | None:
    """The change to a stricter state, or None when the state is as strict already. Anybody may ask for it."""
    if STRICTNESS[to] <= STRICTNESS[state]:
        return None
    return Change(to, cause, reason, actor)


def reset(state: TradingState, to: TradingState, *, reason: str, actor: str, role: Role) -> Change:
    """The change to a looser state. Drawdown is measured anew from here, or it would tighten again at once.

    Raises:
        KillSwitchError: the role may not, there is no reason, or the state is not looser.
    """
    if role is not Role.RISK_MANAGER:
        raise KillSwitchError(f"role={role}: may not reset the kill switch; ask a {Role.RISK_MANAGER}")
    if not reason.strip():
        raise KillSwitchError("reason: is empty; say why trading may go on")
    if STRICTNESS[to] >= STRICTNESS[state]:
        raise KillSwitchError(f"state={to}: is not looser than {state}; tighten instead")
    return Change(to, Cause.RESET, reason.strip(), actor)


def watch(state: TradingState, measure: Callable[[], Drawdown], limits: DrawdownLimits, actor: str) -> Change | None:
    """The change that the drawdown since the last reset asks for, or None.

    A drawdown that cannot be measured halts: a switch that fails must not leave the trading on.
    """
    try:
        depth = measure().depth
        if depth < limits.reduce_at:
            return None
        to = TradingState.HALTED if depth >= limits.halt_at else TradingState.REDUCING
        return tighten(state, to, Cause.DRAWDOWN, f"drawdown={depth:.4f}", actor)
    except Exception as error:  # whatever it is, see above
        reason = f"the drawdown cannot be measured: {type(error).__name__}"
        return tighten(state, TradingState.HALTED, Cause.ERROR, reason, actor)
