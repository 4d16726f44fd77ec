"""Arguments of the PostgreSQL component, and the rules that they must keep."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.kit.errors import Problem, require
from components.kit.resources import Resources
from components.kit.rules import at_least, at_most, dns_label, dns_name
from components.kit.scheduling import ANY_ZONES, Zones, zone_problems
from components.postgres.backup.args import BackupArgs, backup_problems
from components.postgres.names import BACKUP_KIND, BACKUP_TLS_KIND
from components.postgres.timing import member_problems, time_problems

KINDS = ("postgres-app", "postgres-replication")
WAL_SHARE_PERCENT = 60  # the rest is for data; a full volume stops the primary
BUFFERS_SHARE_PERCENT = 40  # more only starves the page cache, says PostgreSQL's manual
CONNECTION_MIB = 3  # a backend at work, seen with small queries
FIXED_MIB = 96  # Patroni, background processes
MEMBER_RESOURCES = Resources(cpu_m=500, memory_mib=1024)
AGENT_RESOURCES = Resources(cpu_m=20, memory_mib=96)


@dataclass(frozen=True, kw_only=True)
class PostgresArgs:
    """Arguments of `Postgres`.

    Attributes:
        namespace: where the objects go.
        image: reference of the image.
        pull_secrets: names of the Secrets that the image is pulled with.
        secret_names: credential kind to the name of its Secret; the kinds of `KINDS` must be there.
        storage_class: class of the volumes; None asks for the cluster's default.
        storage_gib: volume of one member.
        keep_volumes: whether the volumes outlive the StatefulSet. False where nothing shall be left behind.
        members: PostgreSQL instances, one a node.
        backup: what is kept of the data elsewhere; None keeps nothing, not even the log.
        zones: how firmly the members are kept in different zones.
        synchronous_standbys: standbys that must have flushed a commit before it is acknowledged. 1 of 2 by default: one
            standby may be lost without a stall, and no acknowledged commit is ever on one member alone.
        resources: of one member's PostgreSQL and Patroni.
        agent_resources: of one member's agent.
        shared_buffers_mib: PostgreSQL's own cache; None takes a quarter of the memory, as its manual advises.
        max_connections: PostgreSQL's setting.
        max_wal_mib: PostgreSQL's `max_wal_size`; it bounds the time of a crash recovery. 1 GiB is its default.
        max_slot_wal_mib: `max_slot_wal_keep_size`: log kept for a member that is away. Beyond it the member is made
            anew, rather than the volume filled.
        ttl_s: life of the leader lock. 20/5/5 is the preset `fast` of Pigsty: node loss in under 30 s.
        loop_wait_s: pause between two rounds of Patroni.
        retry_timeout_s: how long Patroni retries PostgreSQL and the Kubernetes API.
        primary_start_timeout_s: how long a crashed primary may recover before a standby takes over. Patroni's default
            of 300 alone would exceed the target.
        primary_stop_timeout_s: how long the primary may take to stop before it is killed, with its lock given up.
        wal_timeout_s: `wal_sender_timeout`, `wal_receiver_timeout` and `tcp_user_timeout`: bounds the stall of commits
            when a standby vanishes. 5 in CloudNativePG, 60 in PostgreSQL.
        grace_period_s: from SIGTERM to SIGKILL; 120 holds a shutdown checkpoint and the hand-over of the lock.
        startup_budget_s: how long a member may take to its first answer: wait for the volume, recover, be copied.
        rto_target_s: what the worst case must stay below, from a fault to the next acknowledged write.

    Raises:
        InvalidArgs: with every problem at once.
    """

    namespace: str
    image: str
    pull_secrets: tuple[str, ...] = ()
    secret_names: Mapping[str, str]
    storage_class: str | None = None
    storage_gib: int = 20
    keep_volumes: bool = True
    backup: BackupArgs | None = None
    members: int = 3
    zones: Zones = ANY_ZONES
    synchronous_standbys: int = 1
    resources: Resources = MEMBER_RESOURCES
    agent_resources: Resources = AGENT_RESOURCES
    shared_buffers_mib: int | None = None
    max_connections: int = 100
    max_wal_mib: int = 1024
    max_slot_wal_mib: int = 5120
    ttl_s: int = 20
    loop_wait_s: int = 5
    retry_timeout_s: int = 5
    primary_start_timeout_s: int = 30
    primary_stop_timeout_s: int = 30
    wal_timeout_s: int = 8
    grace_period_s: int = 120
    startup_budget_s: int = 3600
    rto_target_s: int = 300

    def __post_init__(self) -> None:
        """Refuse what `problems` finds."""
        require(problems(self))

    @property
    def buffers_mib(self) -> int:
        """`shared_buffers` as it will be, in MiB."""
        return self.shared_buffers_mib or self.resources.memory_mib // 4


def problems(args: PostgresArgs) -> list[Problem]:
    """Every problem of the arguments."""
    found = dns_label("namespace", args.namespace)
    found += [
        Problem("postgres.secret_names", sorted(args.secret_names), f"has no {kind!r}", "give the Secret of it")
        for kind in (*KINDS, *((BACKUP_KIND, BACKUP_TLS_KIND) if args.backup else ()))
        if kind not in args.secret_names
    ]
    found += args.resources.problems("postgres.resources") + args.agent_resources.problems("postgres.agent_resources")
    found += member_problems(args.members, args.synchronous_standbys) + zone_problems(args.zones, args.members)
    found += [] if args.backup is None else backup_problems(args.backup)
    return [*found, *time_problems(args), *memory_problems(args), *storage_problems(args)]


def memory_problems(args: PostgresArgs) -> list[Problem]:
    """Problems of what has to fit into one member's memory."""
    memory = args.resources.memory_mib
    limit = memory * BUFFERS_SHARE_PERCENT // 100
    why = f"{BUFFERS_SHARE_PERCENT} % of resources.memory_mib = {memory}"
    found = at_most("postgres.shared_buffers_mib", args.buffers_mib, limit, "MiB", why)
    found += at_least("postgres.shared_buffers_mib", args.buffers_mib, 16, "MiB")
    found += at_least("postgres.max_connections", args.max_connections, 20, "connections", "members need some too")
    wanted = args.buffers_mib + FIXED_MIB + CONNECTION_MIB * args.max_connections
    if wanted > memory:
        rule = (
            f"{CONNECTION_MIB} MiB each, with {args.buffers_mib} MiB of buffers and {FIXED_MIB} MiB beside them, make"
            f" {wanted} MiB of {memory} MiB memory"
        )
        way_out = f"give resources.memory_mib {wanted} or more, or fewer connections"
        found.append(Problem("postgres.max_connections", args.max_connections, rule, way_out))
    return found


def storage_problems(args: PostgresArgs) -> list[Problem]:
    """Problems of what has to fit onto one member's volume."""
    found = at_least("postgres.storage_gib", args.storage_gib, 1, "GiB")
    if args.storage_class is not None:
        found += dns_name("postgres.storage_class", args.storage_class, "fast-replicated")
    found += at_least("postgres.max_wal_mib", args.max_wal_mib, 64, "MiB", "four segments of log")
    found += at_least("postgres.max_slot_wal_mib", args.max_slot_wal_mib, 64, "MiB", "four segments of log")
    # log is held for a member that is away, and for a repository that is away: the same files, up to the larger bound
    held = max(args.max_slot_wal_mib, args.backup.archive_queue_mib if args.backup else 0)
    wal, limit = args.max_wal_mib + held, args.storage_gib * 1024 * WAL_SHARE_PERCENT // 100
    if wal > limit:
        larger = "backup.archive_queue_mib" if held > args.max_slot_wal_mib else "max_slot_wal_mib"
        rule = f"max_wal_mib + {larger} = {wal} MiB exceed {WAL_SHARE_PERCENT} % of it, {limit} MiB"
        enough = -(-wal * 100 // (WAL_SHARE_PERCENT * 1024))
        way_out = f"give {enough} or more, or lower them"
        found.append(Problem("postgres.storage_gib", args.storage_gib, rule, way_out))
    return found
