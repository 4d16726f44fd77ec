"""Patroni's configuration, as values. Pure.

Three parts: what is the same for all members and read from a file, the cluster's settings that Patroni keeps in its own
state, and what the member's own programs are told. What differs between members is rendered in the pod.
"""

import hashlib
import json
from typing import Any

from components.kit.labels import selector
from components.postgres.args import PostgresArgs
from components.postgres.image.member.paths import Paths
from components.postgres.image.member.pgbackrest import STANZA
from components.postgres.image.member.render import PACKAGE, PYTHON
from components.postgres.names import (
    AGENT_PORT,
    APP,
    CLUSTER_LABEL,
    DATABASE,
    MEMBERS_SERVICE,
    PATRONI_PORT,
    POSTGRES_PORT,
    RESTART_PARAMETERS,
    ROLE_LABEL,
    member_names,
)

PATHS = Paths()


def common(args: PostgresArgs) -> dict[str, Any]:
    """What every member reads from a file: where things are, who may connect, how a cluster is begun."""
    return {
        "scope": APP,
        "kubernetes": {
            "namespace": args.namespace,
            "labels": selector(APP),
            "scope_label": CLUSTER_LABEL,
            "role_label": ROLE_LABEL,
            "leader_label_value": "primary",
            "follower_label_value": "replica",
            "use_endpoints": False,
        },
        # with an empty list only members may call what changes something: restart, failover, configuration
        "restapi": {"listen": f"0.0.0.0:{PATRONI_PORT}", "allowlist": [], "allowlist_include_members": True},
        "watchdog": {"mode": "off"},
        "log": {"level": "INFO"},
        "bootstrap": {
            "dcs": dynamic(args),
            # the builtin provider: its order never changes under an index, unlike that of the C library or ICU
            "initdb": [
                {"encoding": "UTF8"},
                {"locale-provider": "builtin"},
                {"locale": "C.UTF-8"},
                "data-checksums",
                {"auth-local": "peer"},
                {"auth-host": "reject"},
            ],
            "post_bootstrap": f"{PYTHON} -m {PACKAGE}.bootstrap",
        },
        "postgresql": {
            "listen": f"0.0.0.0:{POSTGRES_PORT}",
            "data_dir": str(PATHS.data),
            "bin_dir": str(PATHS.programs),
            "pgpass": str(PATHS.runtime / "pgpass"),
            "use_unix_socket": True,
            "use_unix_socket_repl": True,
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
            # with a slot a copy tells how far it has flushed, and where any standby will do (`*`, while none streams)
            # it would acknowledge commits into a folder that is no standby yet
            "basebackup": [{"checkpoint": "fast"}, "no-password", "no-slot"],
            "parameters": {
                "unix_socket_directories": str(PATHS.sockets),
                "ssl": "on",
                "ssl_cert_file": str(PATHS.runtime / "tls/server.crt"),
                "ssl_key_file": str(PATHS.runtime / "tls/server.key"),
            },
            "pg_hba": access_rules(),
            # Patroni looks at its own server as the role that it also replicates with
            "pg_ident": [f"member {APP} {role}" for role in ("postgres", "replicator_a", "replicator_b")],
        },
    }


def access_rules() -> list[str]:
    """pg_hba.conf: the superuser from the pod alone, replication and the application over TLS, nobody else."""
    replicators, application = "replicator_a,replicator_b", f"{DATABASE}_a,{DATABASE}_b"
    rules = ["local all postgres peer", "local replication all peer map=member"]
    rules += [f"hostssl replication {replicators} all scram-sha-256"]
    rules += [f"hostssl postgres {replicators} all scram-sha-256"]
    return [
        *rules,
        f"hostssl {DATABASE} {application} all scram-sha-256",
        "local all all reject",
        "host all all all reject",
    ]


def dynamic(args: PostgresArgs) -> dict[str, Any]:
    """The cluster's settings, which Patroni keeps in its state; the primary's agent keeps them as declared here."""
    return {
        "ttl": args.ttl_s,
        "loop_wait": args.loop_wait_s,
        "retry_timeout": args.retry_timeout_s,
        "primary_start_timeout": args.primary_start_timeout_s,
        "primary_stop_timeout": args.primary_stop_timeout_s,
        "maximum_lag_on_failover": 1024 * 1024,
        "synchronous_mode": "quorum",
        "synchronous_mode_strict": True,
        "synchronous_node_count": args.synchronous_standbys,
        "failsafe_mode": True,
        "check_timeline": True,
        "member_slots_ttl": "30min",
        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": parameters(args)},
    }


def parameters(args: PostgresArgs) -> dict[str, Any]:
    """PostgreSQL's parameters, all but paths."""
    timeout = f"{args.wal_timeout_s}s"
    return archiving(args) | {
        "max_connections": args.max_connections,
        "shared_buffers": f"{args.buffers_mib}MB",
        "effective_cache_size": f"{args.resources.memory_mib * 6 // 10}MB",
        "maintenance_work_mem": f"{max(16, args.resources.memory_mib // 16)}MB",
        "huge_pages": "off",
        "jit": "off",
        "wal_level": "replica",
        "wal_log_hints": "on",
        "wal_compression": "lz4",
        "max_wal_size": f"{args.max_wal_mib}MB",
        "min_wal_size": f"{min(256, args.max_wal_mib)}MB",
        "wal_keep_size": f"{min(128, args.max_wal_mib)}MB",
        "max_slot_wal_keep_size": f"{args.max_slot_wal_mib}MB",
        "max_wal_senders": 2 * args.members + 4,
        "max_replication_slots": 2 * args.members + 4,
        "wal_sender_timeout": timeout,
        "wal_receiver_timeout": timeout,
        "wal_receiver_status_interval": "2s",
        "wal_retrieve_retry_interval": "500ms",
        "tcp_user_timeout": timeout,
        "tcp_keepalives_idle": "5s",
        "tcp_keepalives_interval": "2s",
        "tcp_keepalives_count": 3,
        "client_connection_check_interval": "5s",
        "idle_in_transaction_session_timeout": "60s",
        # replay that waits for a reader is a failover that waits for it
        "max_standby_streaming_delay": "5s",
        "max_standby_archive_delay": "5s",
        "password_encryption": "scram-sha-256",
        "ssl_min_protocol_version": "TLSv1.3",
        "random_page_cost": 1.1,
        "track_io_timing": "on",
        "logging_collector": "off",
        "log_checkpoints": "on",
        "log_lock_waits": "on",
        "log_connections": "off",
        "log_line_prefix": "%m [%p] %u@%d ",
        "log_statement": "none",
    }


def archiving(args: PostgresArgs) -> dict[str, Any]:
    """Where the log goes. No `restore_command`: a member that is promoted must not wait for a repository."""
    if args.backup is None:
        return {}
    return {
        "archive_mode": "on",
        "archive_command": f"pgbackrest --stanza={STANZA} --log-level-console=warn archive-push %p",
        "archive_timeout": f"{args.backup.archive_timeout_s}s",
    }


def member(args: PostgresArgs) -> dict[str, Any]:
    """What the member's own programs know of the cluster: the fields of their `paths.Cluster`."""
    return {
        "members": list(member_names(args.members)),
        "domain": MEMBERS_SERVICE,
        "acks": args.synchronous_standbys,
        "postgres_port": POSTGRES_PORT,
        "patroni_port": PATRONI_PORT,
        "agent_port": AGENT_PORT,
        "database": DATABASE,
    }


def restart_hash(args: PostgresArgs) -> str:
    """12 hex digits that change exactly when PostgreSQL must be restarted for its settings."""
    chosen = {name: value for name, value in parameters(args).items() if name in RESTART_PARAMETERS}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
