"""Portfolios, strategies, market data, risk and backtests over HTTP, on a real PostgreSQL and Redis."""

from decimal import Decimal

import pytest

from tests.app.fix_api import Api, Caller
from tests.app.test_api_orders import held
from trading.security.principal import Role

pytestmark = pytest.mark.cluster
STRATEGY = """
INSERT INTO strategy (name, kind, enabled, parameters) VALUES ('ema-crossover', 'ema', true, '{"fast": 10}');
INSERT INTO strategy_change VALUES ('ema-crossover', 1, true, '{"fast": 10}', 'platform', 'begin');
"""
POINTS = """
INSERT INTO equity_point
  SELECT 'main', '2026-01-05T09:15:00+05:30'::timestamptz + make_interval(mins => n), 1000 + n, 1000, n, 0, 0
    FROM generate_series(0, 4) n;
"""
BARS = """
INSERT INTO bar
  SELECT 'RELIANCE', '1m', '2026-01-05T09:15:00+05:30'::timestamptz + make_interval(mins => n), 100, 102, 99, 101, n,
      'file' FROM generate_series(0, 4) n;
"""
SIGNALS = """
INSERT INTO signal
  SELECT 'ema-crossover', 'feed-1', n, 'RELIANCE', '2026-01-05T09:15:00+05:30'::timestamptz + make_interval(mins => n),
      0.02, '{"fast": "100"}' FROM generate_series(1, 3) n;
"""


def write(api: Api, sql: str) -> None:
    """What other roles would have written."""
    with api.stage.postgres.admin(api.stage.database) as admin:
        admin.execute(sql.encode())


def test_summary_adds_up(api: Api) -> None:
    """Ten shares for 100.10 that are worth 100 each."""
    held(api)
    body = api.get("/portfolio/summary")
    figures = {name: Decimal(body[name]) for name in ("capital", "equity", "cash", "unrealised_pnl", "net_pnl")}
    assert figures["unrealised_pnl"] == figures["net_pnl"] == Decimal("-1.00")
    assert figures["cash"] == figures["capital"] - Decimal("1001.00")
    assert figures["equity"] == figures["capital"] - 1
    assert (body["open_positions"], Decimal(body["gross_exposure"])) == (1, Decimal(1000))
    [row] = api.get("/portfolio/pnl")["positions"]
    assert (row["symbol"], row["quantity"], Decimal(row["net_pnl"])) == ("RELIANCE", 10, Decimal(-1))
    exposure = api.get("/portfolio/exposure")
    assert [(row["symbol"], Decimal(row["value"])) for row in exposure["symbols"]] == [("RELIANCE", Decimal(1000))]
    assert Decimal(exposure["symbols"][0]["share"]) == Decimal("0.000100")


@pytest.mark.parametrize("first", ["oldest", "newest"])
def test_equity_curve_comes_in_pages_from_either_end(api: Api, first: str) -> None:
    write(api, POINTS)
    path = f"/portfolio/equity?limit=2&first={first}&since=2026-01-05T09:16:00%2B05:30"
    seen, page = [], api.get(path)
    while True:
        seen += [Decimal(point["equity"]) for point in page["points"]]
        if page["next_cursor"] is None:
            break
        page = api.get(f"{path}&cursor={page['next_cursor']}")
    expected = [Decimal(1000 + number) for number in range(1, 5)]
    assert seen == (expected if first == "oldest" else expected[::-1])


def test_bars_and_symbols(api: Api) -> None:
    write(api, BARS)
    page = api.get("/bars/RELIANCE?limit=3")
    rest = api.get(f"/bars/RELIANCE?limit=3&cursor={page['next_cursor']}")
    assert [bar["volume"] for bar in page["bars"] + rest["bars"]] == [4, 3, 2, 1, 0]
    assert page["bars"][0]["at"] == "2026-01-05T09:19:00+05:30"
    assert api.get("/bars/RELIANCE?interval=5m")["bars"] == []
    assert len(api.get("/bars/RELIANCE?until=2026-01-05T09:16:00%2B05:30")["bars"]) == 1
    api.refused(api.call("GET", "/bars/NOWHERE"), 404, "SYMBOL_NOT_FOUND")
    [symbol] = api.get("/symbols?prefix=REL")["symbols"]
    assert symbol == api.get("/symbols/RELIANCE")
    assert api.get("/symbols?prefix=X")["symbols"] == []
    for name in ("NOWHERE", "%00", "caf%C3%A9"):
        api.refused(api.call("GET", f"/symbols/{name}"), 404, "SYMBOL_NOT_FOUND")


def test_strategy_is_changed_with_a_reason_and_a_trace(api: Api, caller: Caller) -> None:
    write(api, STRATEGY)
    path = "/strategies/ema-crossover"
    assert api.get("/strategies")["strategies"] == [api.get(path)]
    caller.be(Role.TRADER, name="asha")
    for _ in range(2):  # the second changes nothing
        body = api.done(api.call("POST", f"{path}/disable", {"reason": "it loses"}), 200)
        assert (body["is_enabled"], body["version"]) == (False, 2)
    api.refused(api.call("POST", f"{path}/enable", {"reason": "it wins"}), 403, "ROLE_REFUSED")
    caller.be(Role.RISK, name="ravi")
    stale = api.call("PUT", f"{path}/parameters", {"parameters": {"fast": 12}, "version": 1, "reason": "slower"})
    api.refused(stale, 409, "STRATEGY_VERSION")
    fresh = api.call("PUT", f"{path}/parameters", {"parameters": {"fast": 12}, "version": 2, "reason": "slower"})
    assert api.done(fresh, 200)["parameters"] == {"fast": 12}
    changes = api.get(f"{path}/changes")["changes"]
    assert [(change["version"], change["actor"]) for change in changes] == [(3, "ravi"), (2, "asha"), (1, "platform")]
    api.refused(api.call("POST", "/strategies/nothing/disable", {"reason": "x"}), 404, "STRATEGY_NOT_FOUND")


def test_parameters_are_held_to_the_rules_of_their_kind(api: Api) -> None:
    write(api, STRATEGY)
    path = "/strategies/ema-crossover/parameters"
    for parameters, field in (
        ({"fast": 0}, "parameters.fast"),
        ({"fast": "ten<script>"}, "parameters.fast"),
        ({"colour": "red"}, "parameters.colour"),
        ({"<script>": 1}, "?"),
    ):
        body = {"parameters": parameters, "reason": "a try"}
        found = api.refused(api.call("PUT", path, body), 422, "STRATEGY_INVALID")
        assert [error["field"] for error in found["errors"]] == [field]
        assert "script" not in str(found)
    assert api.get("/strategies/ema-crossover")["version"] == 1
    kinds = {row["kind"]: row for row in api.get("/strategies/kinds")["kinds"]}
    assert len(kinds) >= 7
    assert kinds["ema"]["parameters"]["properties"].keys() >= {"fast", "slow"}
    backtest = {"strategies": [{"kind": "ema", "parameters": {"fast": 0}}], "steps": 50}
    api.refused(api.call("POST", "/backtests", backtest), 422, "STRATEGY_INVALID")
    crossed = {"strategies": [{"kind": "ema"}], "steps": 50, "sweep": {"fast": [10, 500]}}
    api.refused(api.call("POST", "/backtests", crossed), 422, "BACKTEST_INVALID")
    elsewhere = {"strategies": [{"kind": "ema"}], "data": "passwd", "steps": 50}
    api.refused(api.call("POST", "/backtests", elsewhere), 422, "REQUEST_INVALID")
    assert api.get("/backtests")["backtests"] == []
    backtest = {"strategies": [{"kind": "nothing"}], "steps": 50}
    api.refused(api.call("POST", "/backtests", backtest), 422, "STRATEGY_INVALID")


def test_signals_and_performance_of_a_strategy(api: Api) -> None:
    write(api, STRATEGY)
    write(api, SIGNALS)
    held(api, account="ema-crossover")
    page = api.get("/strategies/ema-crossover/signals?limit=2")
    rest = api.get(f"/strategies/ema-crossover/signals?limit=2&cursor={page['next_cursor']}")
    assert [signal["at"][14:16] for signal in page["signals"] + rest["signals"]] == ["18", "17", "16"]
    body = api.get("/strategies/ema-crossover/performance")
    assert (body["trades"], Decimal(body["traded_value"]), Decimal(body["net_pnl"])) == (1, Decimal(1001), Decimal(-1))
    assert body["max_drawdown"] is None


def test_anybody_who_trades_may_tighten_and_risk_alone_may_loosen(api: Api, caller: Caller) -> None:
    assert api.get("/risk/state") == {"state": "ACTIVE", "since": None}
    caller.be(Role.TRADER, name="asha")
    for _ in range(2):
        body = api.done(api.call("PUT", "/risk/state", {"state": "HALTED", "reason": "a strange market"}), 200)
        assert (body["state"], body["since"]["actor"], body["since"]["seq"]) == ("HALTED", "asha", 1)
    api.refused(api.call("PUT", "/risk/state", {"state": "ACTIVE", "reason": "calm"}), 403, "ROLE_REFUSED")
    order = {"client_order_id": "x", "symbol": "RELIANCE", "side": "BUY", "quantity": 1}
    api.refused(api.call("POST", "/orders", order), 422, "RISK_HALTED")
    caller.be(Role.RISK, name="ravi")
    assert api.done(api.call("PUT", "/risk/state", {"state": "ACTIVE", "reason": "calm"}), 200)["state"] == "ACTIVE"
    history = api.get("/risk/state/history?limit=1")
    assert [change["state"] for change in history["changes"]] == ["ACTIVE"]
    earlier = api.get(f"/risk/state/history?cursor={history['next_cursor']}")["changes"]
    assert [(change["state"], change["reason"]) for change in earlier] == [("HALTED", "a strange market")]
    assert api.get("/risk/limits")["max_orders_a_second"] == 10


def test_backtest_is_queued_once_a_key(api: Api) -> None:
    body = {"strategies": [{"kind": "ema", "parameters": {"fast": 8}}], "steps": 50}
    first, again = (api.call("POST", "/backtests", body, Idempotency_Key="b1") for _ in range(2))
    made = api.done(first, 202)
    assert again.get_json() == made
    assert (made["status"], made["submitted_by"], made["spec"]["steps"]) == ("QUEUED", "platform", 50)
    path = f"/backtests/{made['id']}"
    assert api.get(path) == made
    api.refused(api.call("GET", f"{path}/result"), 409, "BACKTEST_NOT_DONE")
    write(api, """UPDATE backtest SET status = 'DONE', result = '{"orders": 3}'""")
    assert api.get(f"{path}/result")["result"] == {"orders": 3}
    assert [row["id"] for row in api.get("/backtests?status=DONE")["backtests"]] == [made["id"]]
    assert api.get("/backtests?status=QUEUED")["backtests"] == []
    other = api.done(api.call("POST", "/backtests", body), 202)
    page = api.get("/backtests?limit=1")
    rest = api.get(f"/backtests?limit=1&cursor={page['next_cursor']}")
    assert [row["id"] for row in page["backtests"] + rest["backtests"]] == [other["id"], made["id"]]


def test_version_names_schema_and_mode(api: Api) -> None:
    body = api.get("/version")
    assert body["mode"] == "PAPER"
    assert body["schema_version"] >= 7
