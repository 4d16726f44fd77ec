"""What redis.conf and sentinel.conf declare, the same for every node. Pure.

The programs of the image add what only a starting node knows: its addresses, its role, its passwords.
"""

from components.redis.args import RedisArgs

# A write needs one replica that was heard of within this time: it bounds what a master that was cut off can lose.
MIN_REPLICAS = 1
MAX_LAG_S = 10
REPLICATION_TIMEOUT_S = 15
REPLICATION_PING_S = 3
SHUTDOWN_S = 10
BACKLOG_PERCENT = 12
MIN_BACKLOG_MIB = 4


def redis_conf(args: RedisArgs) -> str:
    """The declared part of redis.conf."""
    # a replica that was away for a moment catches up from this instead of copying everything
    backlog_mib = max(MIN_BACKLOG_MIB, args.maxmemory_mib * BACKLOG_PERCENT // 100)
    lines = {
        "daemonize": "no",
        "logfile": '""',
        "protected-mode": "yes",
        "timeout": "0",
        "tcp-keepalive": "30",
        "enable-debug-command": "no",
        "enable-module-command": "no",
        "enable-protected-configs": "no",
        "maxmemory": f"{args.maxmemory_mib}mb",
        "maxmemory-policy": args.maxmemory_policy,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-use-rdb-preamble": "yes",
        "aof-load-truncated": "yes",
        "save": "3600 1 300 100",
        "shutdown-timeout": str(SHUTDOWN_S),
        "min-replicas-to-write": str(MIN_REPLICAS),
        "min-replicas-max-lag": str(MAX_LAG_S),
        "replica-read-only": "yes",
        # a replica without its master refuses reads instead of giving old prices
        "replica-serve-stale-data": "no",
        "repl-backlog-size": f"{backlog_mib}mb",
        "repl-backlog-ttl": "3600",
        # the upstream 60 s would hide a vanished master's half-open connection for as long
        "repl-timeout": str(REPLICATION_TIMEOUT_S),
        "repl-ping-replica-period": str(REPLICATION_PING_S),
        # start copying once all replicas ask, or after a second: until one has its copy the master refuses writes
        "repl-diskless-sync": "yes",
        "repl-diskless-sync-delay": "1",
        "repl-diskless-sync-max-replicas": str(args.members - 1),
        # the second connection of a copy comes from the pod's own address, and Sentinel takes it for one more replica
        # (redis/redis#14728)
        "repl-rdb-channel": "no",
        # a replica keeps its old copy until the new one has arrived whole
        "repl-diskless-load": "disabled",
        "client-output-buffer-limit": f"replica {args.maxmemory_mib // 2}mb {args.maxmemory_mib // 4}mb 60",
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def sentinel_conf(args: RedisArgs) -> str:
    """The declared part of sentinel.conf."""
    lines = {
        "down-after-milliseconds": args.down_after_ms,
        "failover-timeout": args.failover_timeout_ms,
        "parallel-syncs": 1,
        # a master that came back at once but reads its files for longer than this is replaced
        "master-reboot-down-after-period": args.failover_timeout_ms,
    }
    return "".join(f"sentinel {name} {args.master_name} {value}\n" for name, value in lines.items())
