"""The execution role as a real process at a broker that misbehaves: what is meant is sent, once, and nothing else."""

import itertools
import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.app.servers import eventually, free_port
from tests.app.stage import Role, Stage
from tests.app.test_domain import request
from tests.app.test_storage import open_market
from tests.app.venue import ENDED, Placed
from tests.app.venue_server import SECRET, Fault, VenueServer, mount
from trading.domain.orders import Mode, Order, OrderType, Status
from trading.execution.broker import tag_of
from trading.risk.checks import Limits
from trading.storage import orders
from trading.storage.broker import PAPER, Broker, BrokerRefused, addressed, broker, enter, must_suit
from trading.storage.strategies import StrategyRow, change, seed
from trading.strategies.registry import StrategyError

pytestmark = pytest.mark.cluster

LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)}
FAST = Limits(max_orders_a_second=1000)
HTTP = Broker("http", Mode.LIVE, "PEOPLE")
EVENTS = "SELECT kind FROM order_event WHERE order_id = %s ORDER BY seq"
PLACED = "POST /orders/regular"
# each with what becomes of the order: a doubt is asked after by its tag, and is never sent again
MISBEHAVIOUR = (Fault.TIMEOUT_AFTER, Fault.ERROR_AFTER, Fault.MALFORMED, Fault.RESET_AFTER, Fault.GATEWAY, Fault.BUSY)


class Desk:
    """A database with a market, a broker on loopback, and the role between them.

    Attributes:
        postback: port for calls back.
    """

    def __init__(self, stage: Stage, server: VenueServer) -> None:
        self.stage, self.server, self.postback = stage, server, free_port()
        self.numbers = itertools.count()
        mount(stage.credentials.folder / "broker")
        open_market(stage)

    def start(self) -> Role:
        """The role, when it leads."""
        role = self.launch(TRADING_BROKER_POSTBACK=f"127.0.0.1:{self.postback}")
        eventually(lambda: 'trading_leader{role="execution"} 1.0' in role.get("/metrics").text, 20, "it leads")
        return role

    def launch(self, **env: str) -> Role:
        """The role, sooner."""
        return self.stage.launch(
            "execution",
            TRADING_BROKER="http",
            TRADING_BROKER_URL=self.server.url,
            TRADING_BROKER_TIMEOUT_S="0.5",
            TRADING_BROKER_ALGO_ID="PEOPLE",
            TRADING_BROKER_SANDBOX="yes",
            TRADING_LOG_LEVEL="DEBUG",
            **env,
        )

    def place(self, name: str, **changes: object) -> Order:
        """An order of a person; each of another quantity, so that none is taken for the one before."""
        asked = request(**{"client_order_id": name, "quantity": 10 + next(self.numbers), **LIMIT, **changes})
        with self.stage.connect() as connection, connection.writing():
            return orders.place(connection, addressed(connection, asked), FAST, paced=False)[0]

    def now(self, order: Order) -> Order:
        """The order as its events say."""
        with self.stage.connect() as connection, connection.transaction():
            return orders.lock(connection, order.order_id)

    def is_now(self, order: Order, status: Status) -> bool:
        """Whether it has come so far."""
        return self.now(order).status is status

    def placed(self, order: Order) -> Placed:
        """What the broker has of it, which must be one."""
        [found] = self.server.venue.tagged(tag_of(order))
        return found

    def logged(self) -> str:
        """All that any role has said."""
        return "".join(log.read_text() for log in self.stage.credentials.folder.parent.glob("*.log"))


@pytest.fixture
def server() -> Iterator[VenueServer]:
    made = VenueServer()
    yield made
    made.stop()


@pytest.fixture
def desk(stage: Stage, server: VenueServer) -> Desk:
    return Desk(stage, server)


def test_orders_come_through_misbehaviour_and_kills_once(desk: Desk, server: VenueServer) -> None:
    role = desk.start()
    server.faults.extend(MISBEHAVIOUR)
    made = [desk.place(fault.name) for fault in MISBEHAVIOUR]
    settled = (Status.ACCEPTED, Status.REJECTED)
    eventually(lambda: all(desk.now(order).status in settled for order in made), 20, "each is answered")
    assert {order.request.client_order_id: desk.now(order).status for order in made} == {
        fault.name: Status.ACCEPTED if fault.is_done else Status.REJECTED for fault in MISBEHAVIOUR
    }

    # killed while the broker has an order of ours and its answer is on the way
    server.faults.append(Fault.TIMEOUT_AFTER)
    caught = desk.place("caught")
    eventually(lambda: server.venue.tagged(tag_of(caught)) != [], 10, "the broker has it")
    role.stop(signal.SIGKILL)
    assert desk.now(caught).status is Status.SUBMITTED
    late = desk.place("late", quantity=10)
    role = desk.start()
    for order in (caught, late):
        eventually(lambda: desk.is_now(order, Status.ACCEPTED), 20, "it is followed up")  # noqa: B023 - at once

    # trades are told twice, out of order, and forged; the books count
    name = desk.placed(late).name
    for part in (4, 6):
        server.venue.trade(name, part)
        assert [server.call_back(desk.postback, name, status=s) for s in ("COMPLETE", "OPEN", "OPEN")] == [204] * 3
        assert server.call_back(desk.postback, name, checksum="0" * 64) == 403
    eventually(lambda: desk.is_now(late, Status.FILLED), 10, "it is filled")
    assert [kind for (kind,) in desk.stage.query(EVENTS, late.order_id)][2:] == ["ACCEPTED", "FILLED", "FILLED"]
    with desk.stage.connect() as connection, connection.writing():
        orders.request_cancel(connection, caught.order_id, "user")
    eventually(lambda: desk.is_now(caught, Status.CANCELLED), 10, "it is cancelled")

    assert role.stop() == 0
    _agree(desk, [*made, caught, late])
    sent = [form for call, form in server.forms if call == PLACED]
    assert len(sent) == len(made) + 2
    assert {form["algo_id"] for form in sent} == {"PEOPLE"}
    assert desk.stage.query("SELECT count(*) FROM trading_state_event") == [(0,)]
    said = desk.logged()
    assert "orders go to another broker" in said
    assert not [key for key in SECRET.values() if key in said]


def _agree(desk: Desk, made: list[Order]) -> None:
    """Each order is at the broker once and as it is booked, or was refused; the broker has no other."""
    ours = {tag_of(order): desk.now(order) for order in made}
    venue = desk.server.venue.orders.values()
    assert len({placed.tag for placed in venue}) == len(venue)
    for placed in venue:
        order = ours.pop(placed.tag)
        assert (order.filled_quantity, order.is_open) == (placed.filled, placed.state not in ENDED)
        assert order.request.mode is Mode.LIVE
    assert {order.status for order in ours.values()} <= {Status.REJECTED}


def test_another_broker_is_refused_while_the_former_has_orders(desk: Desk, server: VenueServer) -> None:
    order = desk.place("on paper")
    assert order.request.mode is Mode.PAPER
    role = desk.launch()
    assert role.process.wait(20) == 1
    assert role.log.read_text().splitlines()[-1] == (
        "error: broker=http: takes LIVE orders, and 1 PAPER orders of broker=paper are open; go back to it, "
        "halt the trading and cancel them, then change the broker"
    )
    assert server.forms == []
    with desk.stage.connect() as connection:
        assert broker(connection) == PAPER
        with connection.writing():
            orders.request_cancel(connection, order.order_id, "user")
        must_suit(connection, HTTP)


def test_what_is_held_on_paper_is_not_taken_for_real(desk: Desk) -> None:
    columns = "account, symbol, product, quantity, cost, realised_pnl"
    with desk.stage.connect() as connection:
        connection.execute(f"INSERT INTO position ({columns}) VALUES ('main', 'RELIANCE', 'CNC', 5, 500, 0)")  # noqa: S608
        with pytest.raises(BrokerRefused, match="broker=http: takes LIVE orders, and 1 positions of PAPER orders"):
            must_suit(connection, HTTP)
        must_suit(connection, Broker("another-paper", Mode.PAPER))


def test_mode_and_tag_follow_broker_and_strategy(desk: Desk) -> None:
    with desk.stage.connect() as connection:
        with connection.writing():
            seed(connection, [StrategyRow("ema", "ema", True, {}), StrategyRow("other", "ema", True, {})])
            orders.open_account(connection, "ema")
            tagged = change(connection, "ema", None, None, "ann", "registered", 1, "ALGO-7")
        with pytest.raises(StrategyError, match=r"algo_id=no tag: must be the exchange's tag"), connection.writing():
            change(connection, "ema", None, None, "ann", "registered", None, "no tag")
        assert (tagged.algo_id, tagged.version) == ("ALGO-7", 2)
        assert _made(desk, "on paper") == (Mode.PAPER, None, Status.INITIALIZED)
        with connection.writing():
            orders.cancel_all(connection, None, None, "another broker")
            assert enter(connection, HTTP)
            assert not enter(connection, HTTP)
        assert _made(desk, "person") == (Mode.LIVE, "PEOPLE", Status.INITIALIZED)
        assert _made(desk, "tagged", strategy_id="ema") == (Mode.LIVE, "ALGO-7", Status.INITIALIZED)
        assert _made(desk, "untagged", strategy_id="other") == (Mode.LIVE, None, Status.DENIED)
    [(reason,)] = desk.stage.query("SELECT reason FROM orders WHERE client_order_id = 'untagged'")
    assert reason == "RISK_ALGO: mode=LIVE strategy=other algo_id=None"
    history = desk.stage.query("SELECT version, algo_id, actor, reason FROM strategy_change WHERE name = 'ema'")
    assert history == [(1, None, "system", "a strategy of this version"), (2, "ALGO-7", "ann", "registered")]


def test_rate_holds_for_live_orders_of_strategies_and_people_together(desk: Desk) -> None:
    with desk.stage.connect() as connection, connection.writing():
        enter(connection, HTTP)
        made = [
            orders.place(
                connection,
                addressed(connection, request(client_order_id=f"o{number}", quantity=number + 1, **LIMIT)),
                Limits(max_orders_a_second=4),
                paced=number % 2 == 0,  # as strategies are on paper, in market time
            )[0]
            for number in range(6)
        ]
    assert [order.status for order in made] == [Status.INITIALIZED] * 4 + [Status.DENIED] * 2
    assert str(made[-1].reason).startswith("RISK_RATE: ")


def _made(desk: Desk, name: str, **changes: Any) -> tuple[Mode, str | None, Status]:  # noqa: ANN401 - of a request
    order = desk.place(name, **changes)
    return order.request.mode, order.request.algo_id, order.status
