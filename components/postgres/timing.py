"""Which numbers of members and timeouts keep a cluster safe and fast enough. Pure; the policies call it too."""

from typing import Protocol

from components.kit.errors import Problem
from components.kit.rules import at_least, at_most, odd
from components.postgres.recovery import Timeouts, worst_case_s

MIN_TTL_S = 20  # Patroni refuses less
MIN_RETRY_S = 3  # likewise
MIN_MEMBERS = 3
MIN_GRACE_S = 60
STOP_MARGIN_S = 30  # from PostgreSQL's stop to the end of the pod: hand over the lock, end the agent


class Lock(Timeouts, Protocol):
    """The times of Patroni's leader lock, in seconds."""

    @property
    def retry_timeout_s(self) -> int:
        """How long Patroni retries PostgreSQL and the Kubernetes API."""


class Timing(Lock, Protocol):
    """All times of a member, in seconds."""

    @property
    def wal_timeout_s(self) -> int:
        """How long a silent standby holds up commits."""

    @property
    def grace_period_s(self) -> int:
        """From SIGTERM to SIGKILL."""

    @property
    def startup_budget_s(self) -> int:
        """Time to a member's first answer."""

    @property
    def rto_target_s(self) -> int:
        """What the worst case must stay below."""


def member_problems(members: int, synchronous_standbys: int) -> list[Problem]:
    """Problems of the number of members and of what a commit waits for."""
    why = "a commit waits for a standby, so with fewer the loss of one member stops all writes"
    found = at_least("postgres.members", members, MIN_MEMBERS, "members", why)
    found += odd("postgres.members", members, "an even member adds cost and survives no further loss")
    field = "postgres.synchronous_standbys"
    found += at_least(field, synchronous_standbys, 1, "standby", "0 would lose acknowledged commits")
    most = max(1, (members - 1) // 2)
    why = "with more, two primaries in a row might have heard of no common member"
    found += at_most(field, synchronous_standbys, most, "standbys", why)
    return found


def lock_problems(times: Lock) -> list[Problem]:
    """Problems of Patroni's own times."""
    found = at_least("postgres.ttl_s", times.ttl_s, MIN_TTL_S, "s", "Patroni's minimum")
    found += at_least("postgres.loop_wait_s", times.loop_wait_s, 1, "s", "Patroni's minimum")
    found += at_least("postgres.retry_timeout_s", times.retry_timeout_s, MIN_RETRY_S, "s", "Patroni's minimum")
    needed = times.loop_wait_s + 2 * times.retry_timeout_s
    if needed > times.ttl_s:
        found.append(
            Problem(
                "postgres.ttl_s",
                times.ttl_s,
                f"at least loop_wait_s + 2 * retry_timeout_s = {needed} s, or a healthy primary loses its lock",
                f"give {needed} or more, or lower loop_wait_s or retry_timeout_s",
            )
        )
    found += at_least("postgres.primary_start_timeout_s", times.primary_start_timeout_s, 1, "s")
    found += at_least("postgres.primary_stop_timeout_s", times.primary_stop_timeout_s, 1, "s")
    return found


def time_problems(times: Timing) -> list[Problem]:
    """Problems of the timeouts, alone and together."""
    found = lock_problems(times)
    found += at_least("postgres.wal_timeout_s", times.wal_timeout_s, 2, "s", "less reads a short pause as a loss")
    found += at_most("postgres.wal_timeout_s", times.wal_timeout_s, times.ttl_s, "s", "the life of the leader lock")
    grace = max(MIN_GRACE_S, times.primary_stop_timeout_s + STOP_MARGIN_S)
    found += at_least("postgres.grace_period_s", times.grace_period_s, grace, "s", "a clean stop hands the lock over")
    found += at_least(
        "postgres.startup_budget_s", times.startup_budget_s, 300, "s", "a copy of the data takes its time"
    )
    worst, case = worst_case_s(times)
    if worst > times.rto_target_s:
        rule = f"the worst case, {case}, takes {worst} s"
        way_out = "lower the timeouts that it is the sum of, or raise rto_target_s"
        found.append(Problem("postgres.rto_target_s", times.rto_target_s, rule, way_out))
    return found
