"""Arguments of the Redis component."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.kit.errors import Problem, require
from components.kit.resources import Resources
from components.kit.rules import at_least, dns_label, dns_name, one_of
from components.kit.scheduling import ANY_ZONES, Zones, zone_problems
from components.redis.image.credentials import MEMBER_KINDS
from components.redis.timing import failover_problems, maxmemory_problems, voter_problems, worst_failover_s

POLICIES = (
    "allkeys-lfu",
    "allkeys-lru",
    "allkeys-random",
    "noeviction",
    "volatile-lfu",
    "volatile-lru",
    "volatile-random",
    "volatile-ttl",
)
MIN_GRACE_S = 60
# The append-only file, its rewrite, and the copy that a replica receives stand on the volume at the same time.
STORAGE_FACTOR = 3
SENTINEL_RESOURCES = Resources(cpu_m=30, memory_mib=48)


@dataclass(frozen=True, kw_only=True)
class RedisArgs:
    """Arguments of `Redis`.

    Attributes:
        namespace: where the objects go.
        image: reference of the image of all pods.
        pull_secrets: names of the Secrets that the image is pulled with.
        secret_names: credential kind to the name of its Secret; the kinds `redis-app`, `redis-replication`,
            `redis-sentinel` and `redis-admin` must be there.
        instance: what all objects are named after; a second instance in the same namespace gets another.
        master_name: the name that Sentinel has for the master.
        members: data nodes: one master, the others replicas.
        zones: how firmly data nodes, and Sentinels, are kept in different zones.
        sentinels: Sentinels; more than half of them must agree on a failover.
        maxmemory_mib: memory for data, of one node.
        maxmemory_policy: what happens when it is full. `noeviction` refuses writes and is right for data that must
            not vanish by itself (nonces, streams); a cache takes one of the `allkeys` policies.
        resources: of the redis-server of one data node.
        sentinel_resources: of one Sentinel.
        storage_gib: volume of one data node.
        storage_class: of all volumes; None is the cluster's default.
        down_after_ms: silence after which a Sentinel holds the master for down.
        failover_timeout_ms: time for one failover; a failed one is repeated after twice this time.
        rto_target_s: the longest time without a master that the arguments may add up to, one failed attempt included.
        grace_s: time for a planned stop: handing over the master role, then writing the data out.

    Raises:
        InvalidArgs: with every problem at once.
    """

    namespace: str
    image: str
    pull_secrets: tuple[str, ...] = ()
    secret_names: Mapping[str, str]
    instance: str = "redis"
    master_name: str = "trading"
    members: int = 3
    zones: Zones = ANY_ZONES
    sentinels: int = 3
    maxmemory_mib: int
    maxmemory_policy: str = "noeviction"
    resources: Resources
    sentinel_resources: Resources = SENTINEL_RESOURCES
    storage_gib: int
    storage_class: str | None = None
    down_after_ms: int = 4000
    failover_timeout_ms: int = 10_000
    rto_target_s: int = 30
    grace_s: int = 90

    def __post_init__(self) -> None:
        """Refuse what `problems` finds."""
        require(problems(self))

    @property
    def quorum(self) -> int:
        """Sentinels that must agree that the master is down: more than half, as many as must elect a leader anyway."""
        return self.sentinels // 2 + 1

    @property
    def worst_failover_s(self) -> float:
        """Seconds without a master if the first failover fails."""
        return worst_failover_s(self.down_after_ms, self.failover_timeout_ms)


def problems(args: RedisArgs) -> list[Problem]:
    """Every problem of the arguments."""
    found = dns_label("namespace", args.namespace) + dns_label("redis.instance", args.instance)
    found += dns_label("redis.master_name", args.master_name)
    found += at_least("redis.members", args.members, 3, "pods", "with one gone, a write still needs a replica")
    found += voter_problems(args.sentinels, args.quorum)
    found += one_of("redis.maxmemory_policy", args.maxmemory_policy, POLICIES)
    found += args.resources.problems("redis.resources") + args.sentinel_resources.problems("redis.sentinel_resources")
    found += at_least("redis.grace_s", args.grace_s, MIN_GRACE_S, "s", "to hand the master role over and save")
    for kind in MEMBER_KINDS:
        if kind not in args.secret_names:
            found.append(
                Problem("redis.secret_names", sorted(args.secret_names), f"has no {kind!r}", "give the Secret of it")
            )
    found += zone_problems(args.zones, min(args.members, args.sentinels))
    times = failover_problems(args.down_after_ms, args.failover_timeout_ms, args.rto_target_s)
    return found + sizes(args) + times


def sizes(args: RedisArgs) -> list[Problem]:
    """Problems of memory and storage: data, memory limit and volume must fit each other."""
    found = at_least("redis.maxmemory_mib", args.maxmemory_mib, 16, "MiB")
    found += maxmemory_problems(args.maxmemory_mib, args.resources.memory_mib)
    if args.storage_class is not None:
        found += dns_name("redis.storage_class", args.storage_class, "fast-replicated")
    needed_gib = -(-args.maxmemory_mib * STORAGE_FACTOR // 1024)
    return found + at_least(
        "redis.storage_gib",
        args.storage_gib,
        needed_gib,
        "GiB",
        f"{STORAGE_FACTOR} x redis.maxmemory_mib = {args.maxmemory_mib}",
    )
