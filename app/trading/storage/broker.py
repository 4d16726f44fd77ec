"""The broker that orders go to, in PostgreSQL: noted by who executes orders, read by whoever makes one."""

from dataclasses import replace
from typing import NamedTuple

from trading.domain.errors import Unfit
from trading.domain.orders import Mode, OrderRequest
from trading.storage.connection import Connection
from trading.storage.riskcontext import OPEN


class Broker(NamedTuple):
    """Where orders go.

    Attributes:
        name: of the adapter.
        mode: of the orders that it takes.
        algo_id: the exchange's tag of orders that no strategy decides; None for none.
    """

    name: str
    mode: Mode
    algo_id: str | None = None


PAPER = Broker("paper", Mode.PAPER)
"""Before anything is noted."""


class BrokerRefused(Unfit):
    """The broker cannot take over what the books have."""

    code = "BROKER_REFUSED"


def broker(connection: Connection) -> Broker:
    """The present one."""
    row = connection.execute("SELECT name, mode, algo_id FROM broker_change ORDER BY seq DESC LIMIT 1").fetchone()
    return Broker(row[0], Mode(row[1]), row[2]) if row else PAPER


def must_suit(connection: Connection, wanted: Broker) -> None:
    """See that nothing is under way at another broker, and that nothing held on paper is taken for real.

    Raises:
        BrokerRefused: one line, with what to do.
    """
    now = broker(connection)
    is_other = (now.name, now.mode) != (wanted.name, wanted.mode)
    row = connection.execute(
        f"SELECT count(*), min(mode) FROM orders WHERE status IN {OPEN} AND (mode <> %s OR %s)",  # noqa: S608
        (wanted.mode.value, is_other),
    ).fetchone()
    if row and row[0]:
        raise BrokerRefused(
            f"broker={wanted.name}: takes {wanted.mode} orders, and {row[0]} {row[1]} orders of broker={now.name} are "
            f"open; go back to it, halt the trading and cancel them, then change the broker"
        )
    if wanted.mode is now.mode:
        return
    held = connection.execute("SELECT count(*) FROM position WHERE quantity <> 0").fetchone()
    if held and held[0]:
        raise BrokerRefused(
            f"broker={wanted.name}: takes {wanted.mode} orders, and {held[0]} positions of {now.mode} orders are held; "
            f"close them at broker={now.name}, or begin with an empty database"
        )


def enter(connection: Connection, wanted: Broker) -> bool:
    """Note, inside the caller's transaction, where orders go from now on; False when that was so before.

    Raises:
        BrokerRefused: see `must_suit`.
    """
    must_suit(connection, wanted)
    if broker(connection) == wanted:
        return False
    connection.execute(
        "INSERT INTO broker_change (seq, name, mode, algo_id) "
        "SELECT coalesce(max(seq), 0) + 1, %s, %s, %s FROM broker_change",
        (wanted.name, wanted.mode.value, wanted.algo_id),
    )
    return True


def addressed(connection: Connection, request: OrderRequest) -> OrderRequest:
    """The request for the present broker: its mode, and the tag of the strategy whose order it is.

    A paper order carries its tag too, so that what is rehearsed is what will be sent.
    """
    row = connection.execute(
        "SELECT mode, algo_id, (SELECT algo_id FROM strategy WHERE name = %(strategy)s) "
        "FROM (SELECT mode, algo_id FROM broker_change ORDER BY seq DESC LIMIT 1) now",
        {"strategy": request.strategy_id},
    ).fetchone()
    if row is None:
        return request
    tag = row[1] if request.strategy_id is None else row[2]
    return replace(request, mode=Mode(row[0]), algo_id=tag)
