"""Archive, back up and restore through an S3-compatible store with TLS, by the configuration of the component."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from components.postgres.backup.args import S3, BackupArgs
from components.postgres.backup.config import CA_FILE, CONFIG_FOLDER, PATHS, SCRATCH_FOLDER, files
from components.postgres.image.member.pgbackrest import STANZA, secrets_folder
from components.postgres.image.member.render import PACKAGE, PYTHON
from tests.postgres.fix_members import BIN, Member, Trio, eventually
from toolchain.kit.paths import ROOT

pytestmark = pytest.mark.server

NAME, BUCKET, PASSPHRASE = "localhost", "backups", "a passphrase of the tests"
FOLDER = "/run/patroni/pgbackrest"  # stands in for the ConfigMap's folder
SETTINGS = {f"PGBACKREST_{name}": value for name, value in {
    "CONFIG": f"{FOLDER}/member.conf", "CONFIG_INCLUDE_PATH": str(secrets_folder(PATHS)), "LOCK_PATH": f"{FOLDER}/lock",
}.items()}  # fmt: skip
MAKE_SECRETS = f"""
from {PACKAGE}.paths import Paths
from {PACKAGE}.pgbackrest import write_secrets
write_secrets(Paths())
"""
LOOK = f"from {PACKAGE}.pgbackrest import look\nprint(look().problem)"


@dataclass
class Store:
    """A store: its certificate, its port, and its process, which tests stop and let go on."""

    certificate: str
    port: int
    process: "subprocess.Popen[bytes]" = field(repr=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """moto with TLS, in an environment of its own, and a bucket in it."""
    folder = tmp_path_factory.mktemp("store")
    key, certificate = folder / "store.key", folder / "store.crt"
    make = ["openssl", "req", "-x509", "-noenc", "-newkey", "rsa:2048", "-days", "2", "-subj", f"/CN={NAME}"]
    make += ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    run = [str(ROOT / ".local/uv/bin/uv"), "run", "--quiet", "--frozen", "--isolated", "--only-group", "s3"]
    serve = ["moto_server", "-H", "127.0.0.1", "-p", "0"]
    log_read, log_write = os.pipe()
    with subprocess.Popen(
        [*run, *serve], cwd=ROOT, stdout=log_write, stderr=log_write, start_new_session=True
    ) as server:
        os.close(log_write)
        try:
            text = ""
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", text)):
                part = os.read(log_read, 4096).decode()
                assert part, f"the store ended: {text}"
                text += part
            url = f"http://127.0.0.1:{found[1]}/{BUCKET}"
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=30).close()
            drain = subprocess.Popen(["cat"], stdin=log_read, stdout=subprocess.DEVNULL)
            front = [sys.executable, "-m", "tests.postgres.tls_front", str(certificate), str(key), found[1]]
            with subprocess.Popen(front, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as tls:
                assert tls.stdout is not None
                yield Store(certificate.read_text(), int(tls.stdout.readline()), server)
                tls.terminate()
            drain.terminate()
            drain.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGCONT)
                os.killpg(server.pid, signal.SIGTERM)
            os.close(log_read)


@pytest.fixture
def archiving(trio: Trio, store: Store) -> Member:
    """A primary that archives to the store; a backup is there."""
    one = trio.a
    backup = BackupArgs(
        s3=S3(endpoint=f"{NAME}:{store.port}", bucket=BUCKET, region="test", prefix=f"/{one.folder.parent.name}",
              uri_style="path", ca_pem=store.certificate),
        archive_queue_mib=64,
    )  # fmt: skip
    folder = one.folder / "patroni/pgbackrest"
    folder.mkdir()
    for name, text in files(backup, 3).items():
        # a mount where the ConfigMap would be: the image's own folder is shared by all tests
        (folder / name).write_text(text.replace(f"{CONFIG_FOLDER}/{CA_FILE}", f"{FOLDER}/{CA_FILE}"))
    (one.folder / "hosts").write_text(trio.hosts + f"127.0.0.1 {NAME}\n")
    give_secrets(one, PASSPHRASE)
    settings = "archive_mode = on\narchive_timeout = 60s\n"
    command = f"archive_command = 'pgbackrest --stanza={STANZA} --log-level-console=warn archive-push %p'\n"
    with (one.folder / "data/pgdata/postgresql.conf").open("a") as config:
        config.write(settings + command)
    tool(one, f"{BIN}/pg_ctl", "-D", "/data/pgdata", "-l", "/data/server.log", "-w", "start")
    tool(one, "pgbackrest", f"--stanza={STANZA}", "stanza-create")
    tool(one, "pgbackrest", f"--stanza={STANZA}", "--type=full", "--repo1-retention-full=2", "backup")
    return one


def give_secrets(one: Member, passphrase: str) -> None:
    """Mount the Secret, and let the member's own program make pgBackRest's file of it."""
    mounted = one.folder / "credentials/postgres-backup"
    mounted.mkdir(exist_ok=True)
    for name, text in {"passphrase": passphrase, "s3-key": "tests", "s3-key-secret": "only"}.items():
        (mounted / name).write_text(text)
    one.own()
    one.run(PYTHON, "-c", MAKE_SECRETS)


def tool(one: Member, *command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a command that finds pgBackRest's configuration as in a pod."""
    return one.run("env", *(f"{name}={value}" for name, value in SETTINGS.items()), *command, check=check)


def archived(one: Member) -> str:
    """The name of the segment that was archived last."""
    return one.sql("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")


def switch(one: Member) -> str:
    """End a segment; its name."""
    return one.sql("SELECT pg_walfile_name(pg_switch_wal())")


def test_what_is_archived_in_a_store_comes_back(archiving: Member) -> None:
    archiving.sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS key")
    last = switch(archiving)
    eventually(lambda: archived(archiving) >= last, 60, "the segment is archived")
    tool(archiving, "pgbackrest", f"--stanza={STANZA}", "verify", "--output=text")
    archiving.stop()
    scratch = "/data/restored"
    restore = (
        "pgbackrest",
        f"--stanza={STANZA}",
        f"--pg1-path={scratch}",
        "--type=default",
        "--archive-mode=off",
        "restore",
    )
    tool(archiving, *restore)
    assert SCRATCH_FOLDER not in scratch
    tool(archiving, f"{BIN}/pg_ctl", "-D", scratch, "-l", "/data/restored.log", "-w", "start")
    try:
        eventually(lambda: archiving.sql("SELECT pg_is_in_recovery()") == "f", 60, "the replay has ended")
        assert archiving.sql("SELECT count(*), sum(key) FROM kept") == "1000|500500"
    finally:
        archiving.run(f"{BIN}/pg_ctl", "-D", scratch, "-m", "immediate", "-w", "stop")


def test_another_passphrase_opens_nothing_and_is_told(archiving: Member) -> None:
    assert tool(archiving, PYTHON, "-c", LOOK).stdout.strip() == ""
    give_secrets(archiving, "another passphrase")
    assert tool(archiving, PYTHON, "-c", LOOK).stdout.startswith("[")
    give_secrets(archiving, PASSPHRASE)


def test_a_store_that_does_not_answer_stops_no_commit_and_fills_no_volume(archiving: Member, store: Store) -> None:
    eventually(lambda: archived(archiving) != "", 60, "the archive works")
    os.killpg(store.process.pid, signal.SIGSTOP)
    try:
        archiving.sql("CREATE TABLE written (key int)")
        before = switch(archiving)
        for key in range(8):  # more log than the queue of 64 MiB may hold
            archiving.sql(f"INSERT INTO written VALUES ({key})")  # noqa: S608  a number
            switch(archiving)
        assert archiving.sql("SELECT count(*) FROM written") == "8"
        # the queue is full: pgBackRest lets go of it rather than have the volume fill, and says so in the log
        eventually(lambda: "dropped WAL file" in archiving.log(), 90, "the queue is dropped")
        eventually(partial(beyond, archiving, before), 60, "PostgreSQL may recycle what was dropped")
    finally:
        os.killpg(store.process.pid, signal.SIGCONT)
    last = switch(archiving)
    eventually(lambda: archived(archiving) >= last, 120, "what is written later is archived again")
    tool(archiving, "pgbackrest", f"--stanza={STANZA}", "--type=full", "--repo1-retention-full=2", "backup")
    held = json.loads(
        tool(archiving, "pgbackrest", f"--stanza={STANZA}", "--output=json", "info").stdout.split("\n")[0]
    )
    assert held[0]["status"]["code"] == 0


def beyond(one: Member, segment: str) -> bool:
    """Whether PostgreSQL has done with a segment, archived or dropped."""
    return archived(one) >= segment


def test_the_folder_of_secrets_is_for_its_owner_alone(archiving: Member) -> None:
    made = archiving.folder / "patroni/pgbackrest/conf.d/secrets.conf"
    assert made.stat().st_mode & 0o077 == 0
    assert PASSPHRASE not in (Path(archiving.folder) / "data/server.log").read_text()
