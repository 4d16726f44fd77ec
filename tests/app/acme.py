"""A package of somebody else, with a broker and a kind of strategy: the module, and the wheel that it comes in."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from trading.domain.orders import Product
from trading.execution.paper import PaperBroker
from trading.execution.registry import Setup
from trading.execution.scenario import Scenario
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Target
from trading.strategies.registry import Kind

POINTS = """[trading.brokers]
acme = acme:open_acme

[trading.strategies]
acme-hold = acme:HOLD
"""


@dataclass(frozen=True, slots=True)
class AcmeBroker(PaperBroker):
    """The paper venue under a name of its own."""

    venue: str = field(default="acme", init=False)


def open_acme(setup: Setup) -> AcmeBroker:
    """What the entry point names."""
    return AcmeBroker(Scenario(seed=setup.seed), setup.instruments)


class HoldParameters(Parameters):
    """What it can be told."""

    symbol: str = "INFY"


class Hold:
    """Wants a hundredth of its capital in one symbol, for ever."""

    kind, window, product = "acme-hold", 1, Product.CNC

    def __init__(self, name: str, parameters: HoldParameters) -> None:
        self.name, self._symbol = name, parameters.symbol

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        return {self._symbol: Target(Decimal("0.01"))}


HOLD = Kind("acme-hold", "holds one symbol", HoldParameters, Hold)


def wheel(folder: Path) -> Path:
    """This file as module `acme`, in a wheel with its entry points."""
    made, info = folder / "acme-1.0-py3-none-any.whl", "acme-1.0.dist-info"
    files = {
        "acme.py": Path(__file__).read_text(),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": POINTS,
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made
