"""Names and ports that others address, and the settings that need a restart."""

APP = "postgres"
MEMBERS_SERVICE = "postgres-repl"
PRIMARY_SERVICE = "postgres-rw"
STANDBY_SERVICE = "postgres-ro"
DATABASE = "trading"
POSTGRES_PORT = 5432
PATRONI_PORT = 8008
AGENT_PORT = 8009
UID = 10010
# Patroni finds its own objects and pods by this label, and says by the other who is who
CLUSTER_LABEL = "cluster-name"
ROLE_LABEL = "role"
SETTINGS_OBJECT = "postgres-settings"
# a change of one of these needs a restart of PostgreSQL, so it rolls the pods
RESTART_PARAMETERS = (
    "archive_mode",
    "huge_pages",
    "max_connections",
    "max_replication_slots",
    "max_wal_senders",
    "shared_buffers",
)
# the objects that Patroni keeps its state in
STATE_OBJECTS = tuple(f"{APP}-{kind}" for kind in ("config", "failover", "leader", "sync"))
# backups (components.postgres.backup)
BACKUP_APP = "postgres-backup"
REPOSITORY, JOB = "repository", "job"
REPOSITORY_HOST = f"{BACKUP_APP}-0.{BACKUP_APP}"
BACKUP_PORT = 8432
BACKUP_SETTINGS_OBJECT = "postgres-backup"
BACKUP_STATUS_OBJECT = "postgres-backup-status"
RESTORE_OBJECT = "postgres-restore"
RESTORE_TEST = "postgres-restore-test"
BACKUP_KIND, BACKUP_TLS_KIND = "postgres-backup", "postgres-backup-tls"


def member_names(members: int) -> tuple[str, ...]:
    """The names of the pods."""
    return tuple(f"{APP}-{ordinal}" for ordinal in range(members))


def member_hosts(members: int) -> tuple[str, ...]:
    """`host:port` of every member, for clients in the same namespace."""
    return tuple(f"{name}.{MEMBERS_SERVICE}:{POSTGRES_PORT}" for name in member_names(members))
