"""From the first minute: every strategy on record can trade, and what it stands on is said."""

import re
import signal
from datetime import timedelta

import pytest

from tests.app.client import get
from tests.app.servers import eventually
from tests.app.stage import Stage
from tests.app.test_engine import played
from tests.app.test_strategies import DAY, model
from trading.marketdata.history import History
from trading.marketdata.source import open_source
from trading.services.marketdata import needed
from trading.storage.bars import last_bars
from trading.storage.market import Progress, active_progress
from trading.storage.strategies import StrategyRow, change, seed
from trading.strategies.features import NAMES
from trading.strategies.registry import DEFAULTS, build

pytestmark = pytest.mark.cluster

# With short windows, so that little must be played; the model's training ended twenty days before the market begins.
MODEL = model(trained_until=DAY - timedelta(days=20)).model_dump(mode="json")
WAITING: list[tuple[str, str, dict[str, object]]] = [
    ("cross-sectional-momentum", "momentum", {"lookback": 140}),
    ("vwap-reversion", "vwap", {"session_bars": 120}),
    ("classifier", "classifier", {"model": MODEL, "max_drift": 10, "drift_bars": 130}),
]
SIGNALS = "SELECT count(*) FROM signal WHERE strategy = %s"


def test_strategies_trade_as_soon_as_they_are_enabled(stage: Stage) -> None:
    """The feed plays at once what the hungriest needs; an engine that has just begun takes it from the table."""
    with stage.connect() as connection, connection.writing():
        seed(connection, [StrategyRow(name, kind, False, parameters) for name, kind, parameters in WAITING])
    stage.start("marketdata", TRADING_FEED_SPEED="1")
    api, engine = stage.start("api"), stage.start("engine")
    said = get(api, "/v1/strategies/classifier").json()
    assert (said["window"], said["bars_missing"]) == (150, 150)
    stage.start("execution")
    eventually(lambda: played(stage) >= 150, 30, "what the classifier needs is played at once")
    assert get(api, "/v1/strategies/classifier").json()["bars_missing"] == 0
    eventually(lambda: kept(stage) >= 120, 30, "bars are kept")
    engine.stop(signal.SIGKILL)
    before = played(stage)
    with stage.connect() as connection, connection.writing():
        for name, _, parameters in WAITING:
            change(connection, name, True, parameters, "ann", "why not", None)
    engine = stage.start("engine")
    for name, _, _ in WAITING:
        eventually(lambda name=name: stage.query(SIGNALS, name) != [(0,)], 20, f"{name} speaks")  # type: ignore[misc]
    assert played(stage) < before + 40, "it did not wait for bars"
    eventually(lambda: "trading_strategy_feature_drift" in engine.get("/metrics").text, 10, "drift is measured")
    metrics = engine.get("/metrics").text
    assert 'trading_strategy_model_age_days{strategy="classifier"} 20.' in metrics
    assert 'trading_strategy_model_stale{strategy="classifier"} 0.0' in metrics
    assert set(re.findall(r'feature_drift{feature="(\w+)",strategy="classifier"}', metrics)) == set(NAMES)
    with stage.connect() as connection, connection.writing():
        change(connection, "classifier", None, parameters | {"max_age_days": 10}, "ann", "stricter", None)
    stale = 'trading_strategy_model_stale{strategy="classifier"} 1.0'
    eventually(lambda: stale in engine.get("/metrics").text, 30, "the model is stale")


def test_a_new_platform_plays_at_once_what_the_hungriest_default_needs() -> None:
    assert needed(DEFAULTS) == max(build(one.kind, one.name, one.parameters).window for one in DEFAULTS) == 980
    assert needed([StrategyRow("gone", "of-a-plug-in", True, {})]) == 0


def test_history_from_the_table_is_that_of_an_engine_that_was_there(stage: Stage) -> None:
    """Each symbol's whole window, nothing of after the step played last, whatever the feed has kept beyond it."""
    stage.start("marketdata", TRADING_FEED_SPEED="1000")
    eventually(lambda: kept(stage) >= 60, 30, "bars are kept, and nothing is played")
    source, window = open_source("synthetic", 7), 30
    steps = [step for step, _ in zip(source.steps(1), range(50), strict=False)]
    with stage.connect() as connection:
        assert active_progress(connection) == Progress(source.feed_id, 0, None)
        history, lived = History(window), History(window)
        history.fill(last_bars(connection, source.feed_id, window, steps[49].at))
    for step in steps:
        lived.push(step)
    history.push(steps[48])  # is there already
    history.push(steps[49])
    for symbol in (bar.symbol for bar in steps[49].bars):
        assert history.market(steps[49], window).bars(symbol) == lived.market(steps[49], window).bars(symbol)


def kept(stage: Stage) -> int:
    rows = stage.query("SELECT max(step) FROM bar_progress")
    return int(rows[0][0] or 0)
