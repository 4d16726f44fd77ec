"""The kinds of strategies there are, and how one is made of a kind, a name and parameters.

Ours are listed here; a package of somebody else adds its own under the entry-point group `trading.strategies`, each
name of which loads a `Kind`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from trading.domain.errors import TradingError
from trading.strategies.base import Parameters, Strategy
from trading.strategies.breakout import BreakoutParameters, OpeningRangeBreakout
from trading.strategies.classifier import Classifier, ClassifierParameters
from trading.strategies.ema import EmaParameters, EmaTrend
from trading.strategies.momentum import CrossSectionalMomentum, MomentumParameters
from trading.strategies.pairs import CointegratedPairs, PairsParameters
from trading.strategies.reversion import BollingerReversion, ReversionParameters
from trading.strategies.vwap import VwapParameters, VwapReversion

GROUP = "trading.strategies"
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class StrategyError(TradingError):
    """A strategy that cannot be made."""

    code = "STRATEGY_INVALID"


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be made into a strategy.

    Attributes:
        parameters: the model of what it can be told; every field has a default.
        make: from a name and the checked parameters.
        title: in a few words.
        is_beta: whether its parameters may still change in meaning.
    """

    name: str
    title: str
    parameters: type[Parameters]
    make: Callable[[str, Any], Strategy]
    is_beta: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A strategy as a new database begins with it, with the defaults of its kind where nothing else is said."""

    name: str
    kind: str
    enabled: bool = False
    parameters: Mapping[str, object] = field(default_factory=dict)


OURS = (
    Kind("ema", "EMA trend", EmaParameters, EmaTrend),
    Kind("reversion", "Bollinger and RSI mean reversion", ReversionParameters, BollingerReversion),
    Kind("breakout", "opening-range breakout", BreakoutParameters, OpeningRangeBreakout),
    Kind("momentum", "cross-sectional momentum", MomentumParameters, CrossSectionalMomentum),
    Kind("pairs", "cointegrated pairs", PairsParameters, CointegratedPairs),
    Kind("vwap", "intraday VWAP reversion", VwapParameters, VwapReversion),
    Kind("classifier", "classifier of the next move", ClassifierParameters, Classifier, is_beta=True),
)
DEFAULTS = (
    Instance(name="ema-crossover", kind="ema", enabled=True),
    Instance(name="bollinger-reversion", kind="reversion"),
    Instance(name="opening-range-breakout", kind="breakout"),
    Instance(name="cross-sectional-momentum", kind="momentum"),
    Instance(name="hdfcbank-icicibank", kind="pairs"),
    Instance(name="vwap-reversion", kind="vwap"),
    Instance(name="classifier", kind="classifier"),
)


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name.

    Raises:
        StrategyError: a package names one that is taken, or gives something else than a `Kind`.
    """
    found = {kind.name: kind for kind in OURS}
    for entry in entry_points(group=GROUP):
        kind = entry.load()
        if not isinstance(kind, Kind):
            raise StrategyError(f"entry point {entry.name}={entry.value}: is no Kind; correct or remove the package")
        if kind.name in found:
            raise StrategyError(f"entry point {entry.name}={entry.value}: kind {kind.name} is taken; rename it")
        found[kind.name] = kind
    return found


def kind_of(name: str) -> Kind:
    """The kind of a name.

    Raises:
        StrategyError: there is none.
    """
    known = kinds()
    if name not in known:
        raise StrategyError(f"kind={name}: is not known; take one of {', '.join(known)}")
    return known[name]


def check_parameters(kind: str, parameters: Mapping[str, object]) -> Parameters:
    """The parameters as the kind's model, what is left out with its default.

    Raises:
        StrategyError: one line a wrong field: value, rule, way out.
    """
    model = kind_of(kind).parameters
    try:
        return model.model_validate(dict(parameters))
    except ValidationError as error:
        raise StrategyError("\n".join(_line(kind, model, detail) for detail in error.errors())) from None


def build(kind: str, name: str, parameters: Mapping[str, object]) -> Strategy:
    """A strategy of a kind.

    Raises:
        StrategyError: the kind is not known, the name cannot name an account, or a parameter breaks a rule.
    """
    if not NAME.fullmatch(name):
        raise StrategyError(f"name={name:.60}: must be 1 to 40 of a-z 0-9 -, a letter first; rename it")
    return kind_of(kind).make(name, check_parameters(kind, parameters))


def window_of(kind: str, name: str, parameters: Mapping[str, object]) -> int | None:
    """Closed bars of a symbol that a strategy needs before it trades it; None when it cannot be made."""
    try:
        return build(kind, name, parameters).window
    except TradingError:
        return None


def _line(kind: str, model: type[Parameters], detail: Any) -> str:  # noqa: ANN401 - Pydantic's ErrorDetails
    field = ".".join(map(str, detail["loc"]))
    known = ", ".join(model.model_fields)
    if detail["type"] == "extra_forbidden":
        return f"{field}={detail['input']!s:.40}: {kind} has no such parameter; it has {known}"
    rule = detail["msg"].removeprefix("Value error, ")
    if not field:
        return f"{rule}; change one of them"
    default = model.model_fields[str(detail["loc"][0])].default
    return f"{field}={detail['input']!s:.40}: {rule[0].lower()}{rule[1:]}; the default is {default}"
