"""SIGKILL at each step between the store and a broker, of a real process: no order is lost, doubled or orphaned."""

import multiprocessing
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from tests.app.crash_child import main
from tests.app.stage import Stage
from tests.app.test_domain import request
from tests.app.test_storage import open_market
from tests.app.venue import ENDED
from tests.app.venue_server import VenueServer, mount
from trading.domain.orders import Change, Mode, OrderType, Status
from trading.execution.broker import tag_of
from trading.risk.checks import Limits
from trading.storage import orders

pytestmark = pytest.mark.cluster

LIMITS = Limits(max_orders_a_second=1000)
POINTS = {f"{when} {what}" for when in ("before", "after") for what in ("commit", "GET", "POST", "PUT", "DELETE")}
MOST = 60
FORKS = multiprocessing.get_context("forkserver")  # each is a process of its own, without a second for its imports
FORKS.set_forkserver_preload(["tests.app.crash_child"])


class Story:
    """Orders in a real database, a broker of their own, and between them a process that is killed again and again."""

    def __init__(self, stage: Stage, server: VenueServer, folder: Path) -> None:
        self.stage, self.server = stage, server
        self.keys = mount(folder / "broker")
        self.said = folder / "said"
        self.placed = 0

    def process(self, turns: int, kill_at: int) -> str:
        """Run it; returns the point at which it was killed, or nothing."""
        self.said.write_text("")
        args = (self.stage.env, self.server.url, self.keys, turns, kill_at, self.said)
        process = FORKS.Process(target=main, args=args, daemon=True)
        process.start()
        process.join(60)
        point = self.said.read_text()
        assert process.exitcode == (-signal.SIGKILL if point else 0)
        return point

    def place(self) -> None:
        """A new order, a cancel of an older one, a change of another, and a trade at the venue."""
        self.placed += 1
        wanted = request(
            client_order_id=f"o{self.placed}",
            quantity=10,
            order_type=OrderType.LIMIT,
            limit_price=Decimal(100),
            mode=Mode.LIVE,
            algo_id="A1",
        )
        with self.stage.connect() as connection, connection.writing():
            orders.place(connection, wanted, LIMITS, paced=False)
            ready = [order for order in orders.replay_open(connection) if order.status is Status.ACCEPTED]
            if ready and self.placed % 2:
                orders.request_cancel(connection, ready[0].order_id, "user")
            elif ready:
                price = Decimal(100 + self.placed % 5)
                orders.request_modify(connection, ready[-1].order_id, Change(limit_price=price), LIMITS)
        live = [placed for placed in self.server.venue.orders.values() if placed.state not in ENDED]
        if live and self.placed % 3 == 0:
            self.server.venue.trade(live[-1].name, 4)

    def agree(self) -> None:
        """Each order is at the broker once and as it is booked, or it is over and never was there."""
        tags = [placed.tag for placed in self.server.venue.orders.values()]
        assert len(tags) == len(set(tags))
        with self.stage.connect() as connection:
            ids = [order_id for (order_id,) in self.stage.query("SELECT id FROM orders ORDER BY number")]
            ours = {tag_of(order): order for order in (orders.lock(connection, key) for key in ids)}
        assert len(ours) == self.placed
        for placed in self.server.venue.orders.values():
            order = ours.pop(placed.tag)
            assert (order.filled_quantity, order.terms) == (placed.filled, placed.terms)
            assert order.is_open is (placed.state not in ENDED)
        assert {order.status for order in ours.values()} <= {Status.REJECTED, Status.CANCELLED}
        booked = sum(placed.filled for placed in self.server.venue.orders.values())
        assert self.stage.query("SELECT coalesce(sum(quantity), 0) FROM position") == [(booked,)]
        assert self.stage.query("SELECT count(*) FROM trading_state_event") == [(0,)]


def test_killed_at_every_step_of_the_order_path(stage: Stage, tmp_path: Path) -> None:
    open_market(stage)
    server = VenueServer()
    story = Story(stage, server, tmp_path)
    try:
        seen: set[str] = set()
        for kill_at in range(1, MOST):
            story.place()
            point = story.process(turns=1, kill_at=kill_at)
            seen.add(point)
            if not point:
                break
        assert seen >= POINTS, f"not killed at {POINTS - seen}"
        story.process(turns=8, kill_at=0)
        story.agree()
    finally:
        server.stop()
