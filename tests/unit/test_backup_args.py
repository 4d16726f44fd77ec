"""What the arguments of the backups refuse, what pgBackRest is told, and who may reach whom."""

from typing import Any

import pytest

from components.credentials.args import SECRET_NAMES
from components.kit.errors import InvalidArgs
from components.kit.rules import cron
from components.postgres.args import PostgresArgs
from components.postgres.backup.args import S3, BackupArgs
from components.postgres.backup.config import files
from components.postgres.component import Postgres
from components.postgres.names import RESTART_PARAMETERS
from components.postgres.patroni import parameters
from stacks.arguments import arguments
from stacks.config import parse
from tests.fix_pulumi import Record
from tests.unit.test_config import lines, raw
from toolchain.render.manifests import manifests

STORE = S3(endpoint="minio.example.com:9000", bucket="backups", region="ap-south-1", uri_style="path")
SECTION: dict[str, Any] = {"endpoint": "s3.example.com", "bucket": "backups", "region": "ap-south-1"}
S3_SECRETS = {"backupS3Key": "set", "backupS3KeySecret": "set"}


def args(**values: Any) -> PostgresArgs:  # noqa: ANN401  arguments of a component
    return PostgresArgs(namespace="trading", image="i", secret_names=SECRET_NAMES, backup=BackupArgs(**values))


@pytest.mark.parametrize(
    ("values", "field", "rule"),
    [
        ({"keep_full": 0}, "backup.keep_full", "nothing to restore"),
        ({"keep_diff": 0}, "backup.keep_diff", "at least 1"),
        ({"storage_gib": 0}, "backup.storage_gib", "at least 1 GiB"),
        ({"storage_class": "Fast SSD"}, "backup.storage_class", "RFC 1123"),
        ({"full_schedule": "daily"}, "backup.full_schedule", "five fields"),
        ({"check_schedule": "*/15 24 * * *"}, "backup.check_schedule", "hour '24' is none from 0 to 23"),
        ({"archive_timeout_s": 1}, "backup.archive_timeout_s", "16 MiB"),
        ({"archive_timeout_s": 86400}, "backup.archive_timeout_s", "a lost site costs as much"),
        ({"archive_queue_mib": 16}, "backup.archive_queue_mib", "four segments"),
        ({"archive_queue_mib": 20480}, "postgres.storage_gib", "max_wal_mib + backup.archive_queue_mib = 21504 MiB"),
        ({"s3": S3(endpoint="", bucket="", region="")}, "backup.s3.bucket", "3 to 63 small letters"),
        ({"s3": S3(endpoint="https://x", bucket="abc", region="r")}, "backup.s3.endpoint", "without https://"),
        ({"s3": S3(endpoint="x", bucket="abc", region="")}, "backup.s3.region", "signed"),
        ({"s3": S3(endpoint="x", bucket="abc", region="r", prefix="p")}, "backup.s3.prefix", "begins with /"),
        ({"s3": S3(endpoint="x", bucket="abc", region="r", ca_pem="no")}, "backup.s3.ca_pem", "PEM"),
    ],
)
def test_a_backup_that_could_not_be_restored_is_refused(values: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgs) as caught:
        args(**values)
    found = {problem.field: problem.rule for problem in caught.value.problems}
    assert rule in found[field]


@pytest.mark.parametrize("text", ["30 20 * * 0", "*/15 * * * *", "0 1-5 1,15 * *", "0 0 1 1 6"])
def test_a_schedule_that_is_one(text: str) -> None:
    assert cron("f", text) == []


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "0 0 0 * *", "a * * * *"])
def test_a_schedule_that_is_none(text: str) -> None:
    assert len(cron("f", text)) == 1


def test_a_store_that_is_not_used_is_told() -> None:
    (line,) = lines(raw(backup__s3=SECTION))
    assert line.startswith("backup.s3 = 'backups': names a store, but backup.repository is 'posix'")


def test_a_store_that_is_missing_or_out_of_reach_is_told_with_its_secrets() -> None:
    assert [line.split(": ")[0] for line in lines(raw(backup__repository="s3"))] == [
        "backupS3Key = not set",
        "backupS3KeySecret = not set",
        "backup.s3 = not set",
        "network.backup_cidrs = ()",
    ]


def test_the_store_is_reached_where_the_configuration_says_and_no_host_is_made() -> None:
    given = raw(backup__repository="s3", backup__s3=SECTION, network={"backup_cidrs": ["192.0.2.0/24"]})
    found = arguments(parse("local", {**given, **S3_SECRETS}, S3_SECRETS))
    assert found.postgres.backup is not None
    assert found.postgres.backup.s3 == S3(**SECTION)
    ends = {(flow.source.slug, flow.ports) for flow in found.network.flows if "192.0.2.0/24" in repr(flow.target)}  # type: ignore[union-attr]
    assert ends == {("postgres", (443,)), ("postgres-backup-job", (443,))}
    assert not [flow for flow in found.network.flows if "repository" in repr(flow)]


def test_no_section_is_no_backup() -> None:
    found = arguments(parse("local", raw(backup={}), ()))
    assert found.postgres.backup is None
    assert not [name for name in parameters(found.postgres) if name.startswith("archive")]


def test_switching_the_archive_on_restarts_and_a_member_never_waits_for_it() -> None:
    assert "archive_mode" in RESTART_PARAMETERS
    found = parameters(args())
    assert found["archive_timeout"] == "60s"
    assert "restore_command" not in found


def test_members_know_no_passphrase_where_the_repository_has_a_host(recorded: Record) -> None:
    declared = manifests(recorded(lambda: Postgres("postgres", args())))
    member = declared["statefulset-postgres.yaml"]["spec"]["template"]["spec"]
    mounted = {volume["secret"]["secretName"] for volume in member["volumes"] if "secret" in volume}
    assert SECRET_NAMES["postgres-backup-tls"] in mounted
    assert SECRET_NAMES["postgres-backup"] not in mounted
    assert "statefulset-postgres-backup.yaml" in declared


def test_without_a_host_everybody_opens_the_store(recorded: Record) -> None:
    declared = manifests(recorded(lambda: Postgres("postgres", args(s3=STORE))))
    member = declared["statefulset-postgres.yaml"]["spec"]["template"]["spec"]
    mounted = {volume["secret"]["secretName"] for volume in member["volumes"] if "secret" in volume}
    assert SECRET_NAMES["postgres-backup"] in mounted
    assert not [
        name for name in declared if name.startswith(("statefulset-postgres-backup", "service-postgres-backup"))
    ]


def test_a_job_may_tell_how_it_went_and_nothing_else(recorded: Record) -> None:
    declared = manifests(recorded(lambda: Postgres("postgres", args())))
    (rule,) = declared["role-postgres-backup.yaml"]["rules"]
    assert (rule["resources"], rule["resourceNames"]) == (["configmaps"], ["postgres-backup-status"])
    assert "delete" not in rule["verbs"]


def test_no_secret_stands_in_the_configuration_and_everything_is_encrypted() -> None:
    for backup in (BackupArgs(), BackupArgs(s3=STORE)):
        texts = files(backup, 3)
        assert not [name for name, text in texts.items() if "cipher-pass" in text or "s3-key" in text]
        assert "repo1-cipher-type=aes-256-cbc" in texts["repository.conf"]


def test_every_member_may_be_copied_from_and_only_known_names_are_let_in() -> None:
    texts = files(BackupArgs(keep_full=3), 5)
    assert "pg5-host=postgres-4.postgres-repl" in texts["repository.conf"]
    assert "repo1-retention-full=3" in texts["repository.conf"]
    assert texts["member.conf"].count("tls-server-auth=") == 1
    assert texts["repository.conf"].count("tls-server-auth=") == 2


def test_a_store_with_its_own_authority_gets_its_certificate_as_a_file() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
    texts = files(BackupArgs(s3=S3(endpoint="s", bucket="abc", region="r", ca_pem=pem)), 3)
    assert texts["s3-ca.crt"] == pem + "\n"
    assert "repo1-storage-ca-file=/etc/pgbackrest/s3-ca.crt" in texts["member.conf"]
    port = next(line for line in files(BackupArgs(s3=STORE), 3)["member.conf"].splitlines() if "storage-port" in line)
    assert port == "repo1-storage-port=9000"
