"""Which numbers of Redis and Sentinel keep data and fail over in time. Pure; the policies call it too."""

from components.kit.errors import Problem
from components.kit.rules import at_least, odd

MIN_DOWN_AFTER_MS = 3000
MIN_FAILOVER_TIMEOUT_MS = 5000
# Electing a leader and promoting a replica, as measured, with room.
PROMOTION_S = 2
# What replicas' buffers, the copy-on-write of a snapshot and fragmentation take besides the data.
MAXMEMORY_PERCENT = 60


def worst_failover_s(down_after_ms: int, failover_timeout_ms: int) -> float:
    """Seconds without a master if the first failover fails: detection, attempt, pause, second attempt."""
    pause_s = 2 * failover_timeout_ms / 1000
    return down_after_ms / 1000 + PROMOTION_S + pause_s + PROMOTION_S


def voter_problems(sentinels: int, quorum: int) -> list[Problem]:
    """Problems of the number of Sentinels, and of how many must agree that the master is down."""
    found = at_least("redis.sentinels", sentinels, 3, "pods", "with one gone, two must still agree")
    found += odd("redis.sentinels", sentinels, "an even number outlives no more failures than one fewer")
    majority = sentinels // 2 + 1
    found += at_least("redis.quorum", quorum, majority, "Sentinels", f"more than half of {sentinels}")
    if quorum > sentinels:
        found.append(Problem("redis.quorum", quorum, f"at most {sentinels} Sentinels", f"give {majority}"))
    return found


def maxmemory_problems(maxmemory_mib: int, limit_mib: int) -> list[Problem]:
    """Problems of the data's share of a node's memory limit."""
    if maxmemory_mib * 100 <= limit_mib * MAXMEMORY_PERCENT:
        return []
    return [
        Problem(
            "redis.maxmemory_mib",
            maxmemory_mib,
            f"at most {MAXMEMORY_PERCENT} % of redis.resources.memory_mib = {limit_mib}, "
            "the rest is for snapshots and replicas",
            f"give {limit_mib * MAXMEMORY_PERCENT // 100} or less, or more memory",
        )
    ]


def failover_problems(down_after_ms: int, failover_timeout_ms: int, rto_target_s: int) -> list[Problem]:
    """Problems of the failover's times, each and in sum."""
    why = "less fails over for a slow disk or a long script"
    found = at_least("redis.down_after_ms", down_after_ms, MIN_DOWN_AFTER_MS, "ms", why)
    why = "a promotion takes time"
    found += at_least("redis.failover_timeout_ms", failover_timeout_ms, MIN_FAILOVER_TIMEOUT_MS, "ms", why)
    worst = worst_failover_s(down_after_ms, failover_timeout_ms)
    if worst > rto_target_s:
        found.append(
            Problem(
                "redis.rto_target_s",
                rto_target_s,
                f"below the worst case of {worst:g} s: down_after {down_after_ms} ms, two attempts of {PROMOTION_S} s,"
                f" and between them twice failover_timeout {failover_timeout_ms} ms",
                "lower redis.failover_timeout_ms or redis.down_after_ms, or raise the target",
            )
        )
    return found
