"""What the risk check learns from the database, and the kill switch in it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.app.stage import Stage
from tests.app.test_domain import AT, request
from tests.app.test_storage import accepted, fill, open_market
from trading.cli import main
from trading.domain.events import Cancelled, CancelRequested, Filled, Modified, ModifyRequested
from trading.domain.orders import MARKET_PROTECTION_PERCENT, Order, OrderRequest, OrderType, Product, Side
from trading.marketdata.bars import Bar, Step
from trading.risk.checks import Context, Limits
from trading.risk.killswitch import Cause, Change, KillSwitchError, TradingState
from trading.services.state import state
from trading.storage import orders
from trading.storage.connection import Connection
from trading.storage.market import save_progress
from trading.storage.riskcontext import QUERY, risk_context
from trading.storage.tradingstate import lock_state, record, trading_state

pytestmark = pytest.mark.cluster

PROTECTED: dict[str, object] = {"market_protection_percent": MARKET_PROTECTION_PERCENT}
LIMIT: dict[str, object] = {
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal("101.00"),
    "market_protection_percent": None,
}
CRORE = Decimal(10_000_000)


def context(connection: Connection, wanted: OrderRequest) -> Context:
    return risk_context(connection, orders.columns(wanted), Limits(), paced=False)


def place(connection: Connection, wanted: OrderRequest) -> Order:
    with connection.writing():
        return orders.place(connection, wanted, Limits(), paced=True)[0]


def test_context_of_an_empty_account(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        found = context(connection, request())
    assert found.instrument is not None
    assert (found.reference_price, found.position, found.exposure) == (Decimal(100), 0, Decimal(0))
    assert (found.buying_power, found.trading_state) == (CRORE, TradingState.ACTIVE)


def test_open_orders_and_positions_take_buying_power_and_count_as_exposure(stage: Stage) -> None:
    """A long of 100 with a sale of 100 and a purchase of 30 in front of it can become 130 at most."""
    open_market(stage)
    with stage.connect() as connection:
        held = accepted(connection, quantity=100, **PROTECTED)
        orders.append(connection, held, fill("t1", 100, "90"))
        accepted(connection, client_order_id="out", quantity=100, side=Side.SELL, **LIMIT)
        accepted(connection, client_order_id="more", quantity=30, **LIMIT)
        found = context(connection, request())
        assert (found.position, found.open_buy, found.open_sell) == (100, 30, 100)
        assert found.exposure == 130 * Decimal(101)
        assert found.buying_power == CRORE - 9000 - 30 * Decimal(101)
        intraday = context(connection, request(product=Product.MIS))
        assert (intraday.position, intraday.open_buy, intraday.exposure) == (0, 0, found.exposure)


def test_profit_charges_and_shorts_in_buying_power(stage: Stage) -> None:
    """What a short sale brings in is not there to be spent: its book cost is tied up like that of a long."""
    open_market(stage)
    with stage.connect() as connection:
        for number, (side, price, charges) in enumerate(((Side.SELL, "100", "2"), (Side.BUY, "95", "1"))):
            order = accepted(
                connection, client_order_id=f"o{number}", quantity=10 - 4 * number, side=side, product=Product.MIS
            )
            trade = Filled("paper", f"t{number}", 10 - 4 * number, Decimal(price), AT, Decimal(charges))
            orders.append(connection, order, trade)
        found = context(connection, request(product=Product.MIS))
    assert found.position == -4
    assert found.exposure == 4 * 100
    assert found.buying_power == CRORE - 400 + 30 - 3


def test_modified_order_counts_with_its_new_terms(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order = accepted(connection, quantity=100, **LIMIT)
        for event in (ModifyRequested(40, Decimal("102.00")), Modified(40, Decimal("102.00"))):
            order = orders.append(connection, order, event)
        assert context(connection, request()).exposure == 40 * Decimal(102)
        for end in (CancelRequested("user"), Cancelled("done")):
            order = orders.append(connection, order, end)
        assert context(connection, request()).exposure == 0


def test_order_that_the_account_cannot_pay_is_denied(stage: Stage) -> None:
    open_market(stage)
    stage.query("UPDATE account SET capital = 1031 WHERE account = 'main' RETURNING 1")
    with stage.connect() as connection:
        denied = place(connection, request(**PROTECTED))
        assert str(denied.reason).startswith("RISK_CASH: needed=1031.2")
        assert place(connection, request(client_order_id="b", quantity=9, **PROTECTED)).reason is None


def test_price_band_is_measured_from_the_session_before(stage: Stage) -> None:
    open_market(stage)
    stage.query("UPDATE instrument SET lower_band_percent = 5, upper_band_percent = 5 RETURNING 1")
    with stage.connect() as connection:
        assert context(connection, request()).previous_close is None
        for number, day in ((2, 6), (3, 6)):
            at = AT.replace(day=day, minute=15 + number)
            price = Decimal(96 + number)
            bar = Bar("RELIANCE", at, price, price, price, price, 1000)
            save_progress(connection, "feed-1", Step(number, at, (bar,)))
        found = context(connection, request())
        assert (found.previous_close, found.reference_price) == (Decimal(100), Decimal(99))
        denied = place(connection, request(order_type=OrderType.LIMIT, limit_price=Decimal("105.10")))
        assert denied.reason == "RISK_BAND: price=105.10 lower=95.00 upper=105.00"


def change(to: TradingState) -> Change:
    return Change(to, Cause.OPERATOR, "a reason", "ann")


def test_kill_switch_denies_what_its_state_says(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        held = accepted(connection, quantity=100, **PROTECTED)
        orders.append(connection, held, fill("t1", 100))
        with connection.writing():
            assert lock_state(connection) is TradingState.ACTIVE
            record(connection, change(TradingState.REDUCING))
        assert str(place(connection, request(client_order_id="b")).reason).startswith("RISK_REDUCING")
        assert place(connection, request(client_order_id="c", side=Side.SELL, **PROTECTED)).reason is None
        with connection.writing():
            record(connection, change(TradingState.HALTED))
        assert place(connection, request(client_order_id="d", side=Side.SELL)).reason == "RISK_HALTED: state=HALTED"
        assert trading_state(connection) is TradingState.HALTED
        with pytest.raises(psycopg.errors.RestrictViolation, match="trading_state_event is append-only"):
            connection.execute("DELETE FROM trading_state_event")


def test_command_shows_and_changes_the_state(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in stage.env.items():
        monkeypatch.setenv(name, value)
    main(["state"])
    for _ in range(2):
        main(["state", "--to", "HALTED", "--reason", "odd fills", "--actor", "ann"])
    with pytest.raises(SystemExit, match="error: reason: is empty; say why, with --reason"):
        main(["state", "--to", "ACTIVE"])
    main(["state", "--to", "ACTIVE", "--reason", "feed repaired"])
    assert capsys.readouterr().out.split() == ["ACTIVE", "HALTED", "HALTED", "ACTIVE"]
    booked = stage.query("SELECT seq, state, cause, reason, actor FROM trading_state_event ORDER BY seq")
    assert booked == [
        (1, "HALTED", "OPERATOR", "odd fills", "ann"),
        (2, "ACTIVE", "RESET", "feed repaired", "operator"),
    ]
    with pytest.raises(KillSwitchError):
        state(stage.settings, TradingState.HALTED, " ", "ann")


def test_trades_of_one_symbol_at_once_lose_no_position_update(stage: Stage) -> None:
    """openalgo #1808: seven of eight concurrent pairs ended with a wrong position."""
    open_market(stage)
    with stage.connect() as connection:
        placed = [accepted(connection, client_order_id=f"o{n}", product=Product.MIS, **PROTECTED) for n in range(8)]
    barrier = threading.Barrier(8)

    def fills(number: int) -> None:
        with stage.connect() as connection:
            barrier.wait()
            order = placed[number]
            for part in range(5):
                with connection.writing():
                    order = orders.append(connection, order, fill(f"t{number}-{part}", 2, f"10{part}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fills, range(8)))
    cost = 8 * sum(2 * Decimal(f"10{part}") for part in range(5))
    assert stage.query("SELECT quantity, cost FROM position") == [(80, cost)]


def test_what_the_risk_check_reads_does_not_grow_with_the_history(stage: Stage) -> None:
    """A check that went through the account's past would slow down every order a little more each day."""
    open_market(stage)
    with stage.postgres.admin(stage.database) as admin:
        admin.execute(
            "INSERT INTO orders (id, account, client_order_id, symbol, side, type, product, time_in_force, quantity, "
            "market_protection_percent, status, seq, created_at) SELECT gen_random_uuid(), 'main', 'old-' || n, "
            "'RELIANCE', 'BUY', 'MARKET', 'MIS', 'DAY', 1, 3, 'FILLED', 1, now() - n * interval '1 minute' "
            "FROM generate_series(1, 5000) n"
        )
        admin.execute("ANALYZE orders")
        asked = orders.columns(request()) | {"rate": 10, "window": 1, "without": None}
        rows: Any = admin.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {QUERY}".encode(), asked).fetchall()
    assert looked_at(rows[0][0][0]["Plan"]) < 50


def looked_at(node: dict[str, Any]) -> int:
    """Rows of `orders` that a plan has read, given back or not."""
    mine = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if node.get("Relation Name") == "orders" else 0
    return int(mine) + sum(looked_at(child) for child in node.get("Plans", ()))
