"""A broker and a strategy of another package, installed as pip installs it, trade in the real roles."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.acme import wheel
from tests.app.servers import eventually
from tests.app.stage import Stage

pytestmark = pytest.mark.cluster

TRADED = (
    "SELECT count(*) FROM order_event e JOIN orders o ON o.id = e.order_id WHERE o.strategy_id = 'mine' "
    "AND e.kind = 'FILLED' AND e.payload ->> 'venue' = 'acme' AND o.symbol = 'TCS'"
)


def test_installed_broker_and_strategy_trade(stage: Stage, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, str(wheel(tmp_path))], check=True, capture_output=True)
    env = {"PYTHONPATH": str(site), "TRADING_BROKER": "acme"}
    with stage.connect() as connection:
        connection.execute(
            "INSERT INTO strategy (name, kind, enabled, parameters) VALUES ('mine', 'acme-hold', true, %s)",
            ('{"symbol": "TCS"}',),
        )
    for role in ("marketdata", "execution", "engine"):
        stage.launch(role, **env)
    eventually(lambda: stage.query(TRADED)[0][0] > 0, 30, "the strategy has traded at the broker")
    assert stage.query("SELECT name, mode FROM broker_change") == [("acme", "PAPER")]
