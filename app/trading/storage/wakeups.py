"""How two roles tell each other that a step is done, over the database session that each of them has anyway.

A wake-up that is lost costs a little time and nothing else: who waits looks again after its timeout.
"""

from trading.storage.connection import Connection

PLAYED, DECIDED = "trading_played", "trading_decided"


def listen(connection: Connection, channel: str) -> None:
    """Be woken by a channel from now on, for as long as the session lives."""
    connection.execute(f"LISTEN {channel}".encode())


def announce(connection: Connection, channel: str) -> None:
    """Wake the listeners of a channel, if and when the transaction commits."""
    connection.execute("SELECT pg_notify(%s, '')", (channel,))


def wait(connection: Connection, timeout_s: float) -> None:
    """Until a wake-up or the timeout, whatever is first."""
    for _ in connection.notifies(timeout=timeout_s, stop_after=1):
        return
