"""Broker adapters by name: ours, and those that other packages bring under the entry-point group `trading.brokers`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from trading.domain.errors import TradingError
from trading.domain.instruments import Instrument
from trading.execution.broker import BrokerAdapter
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario

GROUP = "trading.brokers"


class UnknownBroker(TradingError):
    """A broker that nothing here can speak to."""

    code = "BROKER_UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What an adapter is made with.

    Attributes:
        instruments: what is listed, by symbol.
        credentials: the mounted folder of the broker's keys; nothing secret comes in any other way.
        url: of the broker's API; empty where there is none.
        timeout_s: how long one call may take.
        max_orders_a_second: the most orders and changes that the client may send in any second.
        seed: of a simulated venue.
    """

    instruments: Mapping[str, Instrument]
    credentials: Path = Path("/credentials/broker")
    url: str = ""
    timeout_s: float = 3.0
    max_orders_a_second: int = 10
    seed: int = 1


OpenBroker = Callable[[Setup], BrokerAdapter]


def open_broker(name: str, setup: Setup) -> BrokerAdapter:
    """The adapter of a name.

    Raises:
        UnknownBroker: there is none.
        TradingError: it cannot be used as it is set up.
    """
    found = brokers()
    if name not in found:
        raise UnknownBroker(f"broker={name}: must be one of {', '.join(sorted(found))}, or of an installed package")
    return found[name](setup)


def brokers() -> Mapping[str, OpenBroker]:
    """What opens each broker; a package's adapter is loaded when it is opened, and cannot take one of our names."""
    others = {point.name: _loaded(point.name) for point in entry_points(group=GROUP)}
    return others | {"paper": _paper, "http": _http}


def _loaded(name: str) -> OpenBroker:
    def opened(setup: Setup) -> BrokerAdapter:
        [point] = entry_points(group=GROUP, name=name)
        made: BrokerAdapter = point.load()(setup)
        return made

    return opened


def _paper(setup: Setup) -> BrokerAdapter:
    return PaperBroker(Scenario(seed=setup.seed), setup.instruments)


def _http(setup: Setup) -> BrokerAdapter:
    # Here, not above: a paper platform needs none of the client's memory.
    from trading.execution.http.adapter import HttpBroker

    return HttpBroker(
        setup.url, setup.credentials, timeout_s=setup.timeout_s, max_orders_a_second=setup.max_orders_a_second
    )
