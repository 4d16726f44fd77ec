"""What is kept, where, and how often: the arguments of the backups, and the rules that they must keep."""

import re
from dataclasses import dataclass
from typing import Literal

from components.kit.errors import NOT_SET, Problem
from components.kit.resources import Resources
from components.kit.rules import at_least, at_most, cron, dns_name, one_of

Uri = Literal["host", "path"]
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
ENDPOINT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
JOB_RESOURCES = Resources(cpu_m=100, memory_mib=192)
RESTORE_RESOURCES = Resources(cpu_m=100, memory_mib=512)
SERVER_RESOURCES = Resources(cpu_m=20, memory_mib=96)
SCHEDULES = ("full_schedule", "diff_schedule", "check_schedule", "restore_test_schedule")


@dataclass(frozen=True, kw_only=True)
class S3:
    """A repository in an S3-compatible store.

    Attributes:
        endpoint: host name, with a port if it is not 443.
        bucket: its name; the bucket must be there.
        region: as the store calls it.
        prefix: folder in the bucket, so that several stacks can share one.
        uri_style: `host` puts the bucket into the host name, `path` into the path.
        ca_pem: certificate of the authority that the store's own is signed by; empty takes the public ones.
    """

    endpoint: str
    bucket: str
    region: str
    prefix: str = "/postgres"
    uri_style: Uri = "host"
    ca_pem: str = ""

    @property
    def port(self) -> int:
        """The port of the endpoint."""
        return int(self.endpoint.partition(":")[2] or 443)


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """Arguments of the backups of one cluster.

    Attributes:
        s3: the store that the repository is in; None keeps it on a volume of a host of its own.
        storage_gib: that volume; of no use with `s3`.
        storage_class: its class; None asks for the cluster's default.
        keep_full: full backups that are kept, each with what depends on it and the log since it.
        keep_diff: differential backups that are kept.
        full_schedule: cron, UTC, of full backups.
        diff_schedule: of differential ones: what has changed since the last full one.
        check_schedule: of the check that the log arrives; it makes the repository and the first backup too.
        restore_test_schedule: of the rehearsal of a restore.
        archive_timeout_s: the longest time that a commit stays out of the archive: what a lost site can cost.
        archive_queue_mib: log kept for a repository that is away. Beyond it the log is dropped, a gap until the next
            backup, rather than the volume filled and PostgreSQL stopped.
        resources: of a backup, and of the check.
        restore_resources: of a rehearsal, which runs a PostgreSQL.
        server_resources: of pgBackRest's server: beside each member, and of the repository's host.
    """

    s3: S3 | None = None
    storage_gib: int = 20
    storage_class: str | None = None
    keep_full: int = 2
    keep_diff: int = 6
    full_schedule: str = "30 20 * * 0"
    diff_schedule: str = "30 20 * * 1-6"
    check_schedule: str = "*/15 * * * *"
    restore_test_schedule: str = "30 22 * * *"
    archive_timeout_s: int = 60
    archive_queue_mib: int = 1024
    resources: Resources = JOB_RESOURCES
    restore_resources: Resources = RESTORE_RESOURCES
    server_resources: Resources = SERVER_RESOURCES


def backup_problems(args: BackupArgs) -> list[Problem]:
    """Every problem of the arguments."""
    found = [] if args.s3 is None else s3_problems(args.s3)
    if args.s3 is None:
        found += at_least("backup.storage_gib", args.storage_gib, 1, "GiB")
    if args.storage_class is not None:
        found += dns_name("backup.storage_class", args.storage_class, "fast-replicated")
    found += at_least("backup.keep_full", args.keep_full, 1, "full backup", "with none there is nothing to restore")
    found += at_least("backup.keep_diff", args.keep_diff, 1, "differential backup")
    for name in SCHEDULES:
        found += cron(f"backup.{name}", getattr(args, name))
    why = "each switch is a segment of 16 MiB to compress and send"
    found += at_least("backup.archive_timeout_s", args.archive_timeout_s, 10, "s", why)
    found += at_most("backup.archive_timeout_s", args.archive_timeout_s, 3600, "s", "a lost site costs as much")
    found += at_least("backup.archive_queue_mib", args.archive_queue_mib, 64, "MiB", "four segments of log")
    for name in ("resources", "restore_resources", "server_resources"):
        found += getattr(args, name).problems(f"backup.{name}")
    return found


def s3_problems(s3: S3) -> list[Problem]:
    """Problems of the store."""
    found = one_of("backup.s3.uri_style", s3.uri_style, ("host", "path"))
    if not BUCKET.fullmatch(s3.bucket):
        rule = "3 to 63 small letters, digits, '-' or '.'"
        found.append(Problem("backup.s3.bucket", s3.bucket or NOT_SET, rule, "give the name of a bucket that is there"))
    if not ENDPOINT.fullmatch(s3.endpoint):
        rule = "a host name, with a port if it is not 443, without https://"
        way_out = "give one such as 's3.ap-south-1.amazonaws.com'"
        found.append(Problem("backup.s3.endpoint", s3.endpoint or NOT_SET, rule, way_out))
    if not s3.region:
        found.append(Problem("backup.s3.region", NOT_SET, "is signed with each request", "give 'ap-south-1'"))
    if not s3.prefix.startswith("/"):
        found.append(Problem("backup.s3.prefix", s3.prefix, "begins with /", f"give '/{s3.prefix}'"))
    if s3.ca_pem and "-----BEGIN CERTIFICATE-----" not in s3.ca_pem:
        found.append(Problem("backup.s3.ca_pem", "[text]", "a certificate in PEM", "give the text of the file"))
    return found
