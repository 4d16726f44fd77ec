"""How long the platform may be without a writable primary, as a sum of the timeouts. Pure."""

from typing import Protocol

GUARD_S = 12  # the promotion guard asks for up to 10 s, and its process starts
PROMOTE_S = 5  # PostgreSQL ends recovery; log that was received but not replayed comes first
CLIENT_S = 4  # two connection attempts of 2 s each


class Timeouts(Protocol):
    """What the sums are made of, in seconds."""

    @property
    def ttl_s(self) -> int:
        """Life of the leader lock."""

    @property
    def loop_wait_s(self) -> int:
        """Pause between two rounds."""

    @property
    def primary_start_timeout_s(self) -> int:
        """Recovery time of a crashed primary."""

    @property
    def primary_stop_timeout_s(self) -> int:
        """Stop time of a primary."""


def cases_s(timeouts: Timeouts) -> dict[str, int]:
    """Fault to the longest time from it to the next acknowledged write, in seconds.

    A node that vanishes: its lock runs out, a round later a standby takes it. A primary that crashes: it is noticed
    within a round and may recover for its start timeout, then the lock goes. One that is stopped: until it has stopped.
    A promotion that the guard refuses: the lock goes back, and the next member has it within a round.
    """
    take_over = timeouts.loop_wait_s + GUARD_S + PROMOTE_S + CLIENT_S
    return {
        "loss of the primary's node": timeouts.ttl_s + take_over,
        "crash of the primary": timeouts.loop_wait_s + timeouts.primary_start_timeout_s + take_over,
        "stop of the primary": timeouts.primary_stop_timeout_s + take_over,
        "loss of the node and a refused promotion": timeouts.ttl_s + timeouts.loop_wait_s + GUARD_S + take_over,
    }


def worst_case_s(timeouts: Timeouts) -> tuple[int, str]:
    """(seconds, fault) of the longest case."""
    return max((seconds, fault) for fault, seconds in cases_s(timeouts).items())
