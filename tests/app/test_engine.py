"""The engine as real processes on real stores."""

import pytest

from tests.app.servers import eventually
from tests.app.stage import Stage

pytestmark = pytest.mark.cluster


def test_engine_trades_what_the_feed_plays(stage: Stage) -> None:
    feed = stage.start("feed")
    engine = stage.start("engine")
    eventually(lambda: stage.query("SELECT count(*) FROM orders WHERE status = 'FILLED'")[0][0] > 5, 20, "fills")
    assert "trading_engine_leader 1.0" in engine.get("/metrics").text
    assert 'trading_feed_step{source="synthetic"}' in feed.get("/metrics").text
    assert engine.stop() == 0
    assert feed.stop() == 0
    assert {line["level"] for line in (*engine.logged(), *feed.logged())} == {"INFO"}
