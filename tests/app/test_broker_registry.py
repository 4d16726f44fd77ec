"""Adapters by name, and what a wrong name says."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.app.test_paper import LISTED
from tests.app.venue import Venue, VenueBroker
from tests.app.venue_server import mount
from trading.domain.orders import Mode
from trading.execution import registry
from trading.execution.http.adapter import BrokerError, HttpBroker
from trading.execution.paper import PaperBroker
from trading.execution.registry import Setup, UnknownBroker, brokers, open_broker


def open_memory(_: Setup) -> VenueBroker:
    return VenueBroker(Venue())


def test_our_brokers_have_their_modes(tmp_path: Path) -> None:
    paper = open_broker("paper", Setup(instruments=LISTED, seed=7))
    assert isinstance(paper, PaperBroker)
    assert (paper.mode, paper.scenario.seed) == (Mode.PAPER, 7)
    http = open_broker(
        "http", Setup(instruments=LISTED, url="https://broker.example", credentials=mount(tmp_path / "b"))
    )
    assert isinstance(http, HttpBroker)
    assert http.mode is Mode.LIVE
    http.close()


def test_broker_that_cannot_be_used_says_why_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnknownBroker, match=r"broker=zerodha: must be one of http, paper, or of an installed package"):
        open_broker("zerodha", Setup(instruments=LISTED))
    with pytest.raises(BrokerError, match="broker url=: must be https"):
        open_broker("http", Setup(instruments=LISTED, credentials=tmp_path))


def test_adapter_of_another_package_is_found_and_cannot_take_our_names(monkeypatch: pytest.MonkeyPatch) -> None:
    value = f"{__name__}:open_memory"
    points = [EntryPoint(name, value, registry.GROUP) for name in ("memory", "paper")]
    monkeypatch.setattr(
        registry, "entry_points", lambda group, name=None: [p for p in points if name in (None, p.name)]
    )
    assert set(brokers()) == {"http", "memory", "paper"}
    assert isinstance(open_broker("memory", Setup(instruments=LISTED)), VenueBroker)
    assert isinstance(open_broker("paper", Setup(instruments=LISTED)), PaperBroker)
