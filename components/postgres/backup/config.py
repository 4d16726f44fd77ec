"""pgBackRest's configuration, as text. Pure.

One file a place: beside a member, where the repository is written, and where a restore is rehearsed. Secrets are in
none of them: a file in memory, made at the start of a pod, is read with them.
"""

from collections.abc import Mapping

from components.postgres.backup.args import BackupArgs
from components.postgres.image.member.paths import Paths
from components.postgres.image.member.pgbackrest import BACKUP, MEMBER, STANZA, secrets_folder, tls_folder
from components.postgres.names import BACKUP_PORT, MEMBERS_SERVICE, POSTGRES_PORT, REPOSITORY_HOST, member_names

CONFIG_FOLDER = "/etc/pgbackrest"
REPOSITORY_FOLDER = "/repository"
SCRATCH_FOLDER = "/scratch"
CA_FILE = "s3-ca.crt"
# archive-push is asked again by PostgreSQL after a failure; a repository that does not answer must not hold up the stop
# of a primary, which waits for the archiver
PUSH_TIMEOUT_S = 10
PATHS = Paths()

Options = Mapping[str, object]


def files(args: BackupArgs, members: int) -> dict[str, str]:
    """File name to text, for the ConfigMap that every pod of the backups mounts."""
    here = {"pg1-path": PATHS.data, "pg1-socket-path": PATHS.sockets, "pg1-port": POSTGRES_PORT}
    scratch = {**here, "pg1-path": f"{SCRATCH_FOLDER}/pgdata"}
    push = {"archive-timeout": PUSH_TIMEOUT_S, "io-timeout": PUSH_TIMEOUT_S, "protocol-timeout": 2 * PUSH_TIMEOUT_S}
    archive = {
        "archive-async": "y",
        "archive-push-queue-max": f"{args.archive_queue_mib}MiB",
        "spool-path": PATHS.spool,
    }
    remote, direct = reached(args), stored(args)
    made: dict[str, list[tuple[str, Options]]] = {
        "member.conf": [
            ("global", {**common(), **archive, **remote, **serving(BACKUP)}),
            ("global:archive-push", {**push, "db-timeout": PUSH_TIMEOUT_S, "process-max": 2}),
            (STANZA, here),
        ],
        "repository.conf": [
            ("global", {**common(), **direct, **retention(args), **serving(MEMBER, BACKUP), **backing_up(args)}),
            (STANZA, hosts(members)),
        ],
        "restore.conf": [("global", {**common(), **remote}), (STANZA, scratch)],
    }
    texts = {name: text(sections) for name, sections in made.items()}
    return texts if args.s3 is None or not args.s3.ca_pem else {**texts, CA_FILE: args.s3.ca_pem.strip() + "\n"}


def text(sections: list[tuple[str, Options]]) -> str:
    """The file, in pgBackRest's own form."""
    lines = [
        line
        for name, options in sections
        for line in (f"[{name}]", *(f"{key}={one}" for key, value in options.items() for one in each(value)), "")
    ]
    return "\n".join(lines)


def each(value: object) -> tuple[object, ...]:
    """The values of an option that may be given more than once."""
    return value if isinstance(value, tuple) else (value,)


def common() -> Options:
    """What holds everywhere: logs go to the pod's own, zstd at its default level, two processes at most."""
    return {
        "log-level-console": "info",
        "log-level-file": "off",
        "compress-type": "zst",
        "process-max": 2,
        "start-fast": "y",
        "delta": "n",
    }


def certificates(prefix: str) -> Options:
    """Who this end is, and whom it believes."""
    folder = tls_folder(PATHS)
    files = {"ca-file": "ca.crt", "cert-file": "own.crt", "key-file": "own.key"}
    return {f"{prefix}-{option}": folder / file for option, file in files.items()}


def serving(*clients: str) -> Options:
    """The server: whom it lets in, for this stanza alone."""
    allowed = tuple(f"{name}={STANZA}" for name in clients)
    return {"tls-server-port": BACKUP_PORT, **certificates("tls-server"), "tls-server-auth": allowed}


def reached(args: BackupArgs) -> Options:
    """The repository as those see it who have no volume of it."""
    if args.s3 is not None:
        return stored(args)
    return {
        "repo1-host": REPOSITORY_HOST,
        "repo1-host-type": "tls",
        "repo1-host-port": BACKUP_PORT,
        "repo1-host-config": f"{CONFIG_FOLDER}/repository.conf",
        "repo1-host-config-include-path": secrets_folder(PATHS),
        **certificates("repo1-host"),
    }


def stored(args: BackupArgs) -> Options:
    """The repository itself. Its passphrase comes from the file with the secrets."""
    cipher = {"repo1-cipher-type": "aes-256-cbc", "repo1-bundle": "y", "repo1-block": "y"}
    if args.s3 is None:
        return {"repo1-path": f"{REPOSITORY_FOLDER}/pgbackrest", "lock-path": f"{REPOSITORY_FOLDER}/lock", **cipher}
    host, _, port = args.s3.endpoint.partition(":")
    own_ca = {"repo1-storage-ca-file": f"{CONFIG_FOLDER}/{CA_FILE}"} if args.s3.ca_pem else {}
    return {
        "repo1-type": "s3",
        "repo1-path": args.s3.prefix,
        "repo1-s3-endpoint": host,
        "repo1-storage-port": port or 443,
        "repo1-s3-bucket": args.s3.bucket,
        "repo1-s3-region": args.s3.region,
        "repo1-s3-uri-style": args.s3.uri_style,
        **own_ca,
        **cipher,
    }


def retention(args: BackupArgs) -> Options:
    """What is kept; the log goes with the last full backup that needs it."""
    return {"repo1-retention-full": args.keep_full, "repo1-retention-diff": args.keep_diff}


def backing_up(args: BackupArgs) -> Options:
    """From the primary.

    pgBackRest 2.55 waits for a restart point of the standby that it asks for only once: on a quiet database that may be
    the one before the backup's, and the backup ends with error 082 after the archive timeout.
    """
    return {"archive-timeout": 2 * args.archive_timeout_s}


def hosts(members: int) -> Options:
    """Every member as a place to copy from; which one is the primary is asked at each backup."""
    found: dict[str, object] = {}
    for number, name in enumerate(member_names(members), start=1):
        prefix = f"pg{number}"
        found |= {
            f"{prefix}-host": f"{name}.{MEMBERS_SERVICE}",
            f"{prefix}-host-type": "tls",
            f"{prefix}-host-port": BACKUP_PORT,
            f"{prefix}-host-config": f"{CONFIG_FOLDER}/member.conf",
            f"{prefix}-host-config-include-path": secrets_folder(PATHS),
            **certificates(f"{prefix}-host"),
            f"{prefix}-path": PATHS.data,
            f"{prefix}-socket-path": PATHS.sockets,
            f"{prefix}-port": POSTGRES_PORT,
        }
    return found
