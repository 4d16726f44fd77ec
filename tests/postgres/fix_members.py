"""Three members on loopback, run from the image's own files: the same programs as in a pod, without Kubernetes.

Each member has an address of its own in 127.0.0.0/8, a folder where a pod has its volumes, and a mount namespace in
which that folder lies where the pod has it. What Patroni does is done here by hand, one step at a time.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from components.kit.images import content_tag
from components.kit.resources import Resources
from components.postgres.args import KINDS, PostgresArgs
from components.postgres.image.member.render import PACKAGE, PYTHON
from components.postgres.names import AGENT_PORT, DATABASE, MEMBERS_SERVICE, POSTGRES_PORT, UID, member_names
from components.postgres.patroni import access_rules, common, dynamic, member, parameters
from tests.redis.fix_nodes import unpack
from toolchain.images.build import ensure_one
from toolchain.kit.cache import build_once

ARGS = PostgresArgs(
    namespace="test",
    image="postgres",
    secret_names={kind: f"credentials-{kind}" for kind in KINDS},
    resources=Resources(cpu_m=100, memory_mib=384),
    max_connections=40,
    max_wal_mib=256,
)
FOLDERS = {"data": "data", "run": "run/postgresql", "patroni": "run/patroni", "config": "etc/patroni"}
MOUNT = """
set -e
root=$1; folder=$2; user=$3; shift 3
mount --bind "$folder/data" "$root/data"
mount --bind "$folder/run" "$root/run/postgresql"
mount --bind "$folder/patroni" "$root/run/patroni"
mount --bind "$folder/config" "$root/etc/patroni"
mount --bind "$folder/credentials" "$root/credentials"
mount --bind "$folder/hosts" "$root/etc/hosts"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec chroot --userspec="$user:$user" "$root" "$@"
"""
BIN = "/usr/lib/postgresql/17/bin"
MAKE_CERTIFICATE = f"""
from pathlib import Path
from {PACKAGE}.entrypoint import make_certificate
make_certificate(Path("/run/patroni/tls"), "test")
"""


def password(kind: str, epoch: int) -> str:
    """The password of a generation: 32 letters and digits."""
    return f"{kind.replace('-', '')}{epoch:04d}".ljust(32, "x")


class Member:
    """One pod: its server, its agent, its folders."""

    def __init__(self, root: Path, work: Path, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.folder = work / name
        self._root = root
        self._agent: subprocess.Popen[bytes] | None = None

    def furnish(self, hosts: str) -> None:
        """Make the folders as they are before a first start."""
        for part in (*FOLDERS, "credentials"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "hosts").write_text(hosts)
        (self.folder / "config/member.json").write_text(json.dumps(member(ARGS)))
        (self.folder / "config/dynamic.json").write_text(json.dumps(dynamic(ARGS)))
        (self.folder / "config/patroni.yml").write_text(json.dumps(common(ARGS)))
        for kind in KINDS:
            self.mount(kind, 1)
        self.own()

    @property
    def wal(self) -> Path:
        """The write-ahead log, from outside."""
        return self.folder / "data/pgdata/pg_wal"

    def own(self) -> None:
        """Give the folders to the member's user."""
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(self.folder)], check=True)

    def mount(self, kind: str, epoch: int) -> None:
        """Put a generation of a credential where the member reads it, as the kubelet does: one link is moved."""
        folder = self.folder / "credentials" / kind
        snapshot = folder / f"..{time.monotonic_ns()}"
        snapshot.mkdir(parents=True)
        slots = {"a": epoch - epoch % 2, "b": epoch - 1 + epoch % 2}
        files = {slot: password(kind, each) for slot, each in slots.items()}
        for name, text in (files | {"epoch": str(epoch), "current": "b" if epoch % 2 else "a"}).items():
            (snapshot / name).write_text(text)
        link = folder / "..new"
        link.symlink_to(snapshot.name)
        link.replace(folder / "..data")

    def command(self, *args: str) -> list[str]:
        """A command line that runs in the member's file systems as its user."""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, "sh",
                str(self._root), str(self.folder), str(UID), *args]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """As the image sets it."""
        return {
            "PATH": f"{BIN}:/usr/sbin:/usr/bin:/bin",
            "PYTHONPATH": "/opt/member",
            "LANG": "C.UTF-8",
            "HOME": "/tmp",
        }

    def run(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(self.command(*args), env=self.environment, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
        return done

    def guard(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the promotion guard; with `check` it must agree."""
        call = (PYTHON, "-m", f"{PACKAGE}.promote", "--member", self.name, "--address", self.address, "--wait-s", "2")
        return self.run(*call, check=check)

    def init(self) -> None:
        """Make a new database system."""
        options = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums"]
        self.run(f"{BIN}/initdb", "-D", "/data/pgdata", "-U", "postgres", "--no-sync", *options)
        self.configure()

    def copy_of(self, other: "Member") -> None:
        """Make this member a standby of another one, from a base backup."""
        source = f"host={other.address} user=replicator_b password={password('postgres-replication', 1)}"
        self.run(f"{BIN}/pg_basebackup", "-D", "/data/pgdata", "-d", source, "-X", "stream", "-c", "fast", "--no-sync")
        self.configure(other)

    def configure(self, follow: "Member | None" = None, host: str | None = None) -> None:
        """Write the configuration as Patroni does; `host` stands in for the address of the member to follow."""
        data = self.folder / "data/pgdata"
        values: dict[str, Any] = common(ARGS)["postgresql"]["parameters"] | parameters(ARGS)
        values |= {"listen_addresses": self.address, "port": POSTGRES_PORT, "fsync": "off", "min_wal_size": "32MB"}
        if not (self.folder / "patroni/tls").exists():
            self.run(PYTHON, "-c", MAKE_CERTIFICATE)
        values["primary_conninfo"] = ""
        if follow is not None:
            login = f"user=replicator_b password={password('postgres-replication', 1)} sslmode=require"
            values["primary_conninfo"] = f"host={host or follow.address} {login} application_name={self.name}"
            (data / "standby.signal").touch()
        (data / "postgresql.conf").write_text("".join(f"{key} = '{value}'\n" for key, value in values.items()))
        (data / "postgresql.auto.conf").write_text("")
        (data / "pg_hba.conf").write_text("\n".join(access_rules()) + "\n")
        (data / "pg_ident.conf").write_text("\n".join(common(ARGS)["postgresql"]["pg_ident"]) + "\n")
        self.own()

    def follow(self, other: "Member | None", host: str | None = None) -> None:
        """Point a running standby elsewhere, as Patroni does: rewrite and reload."""
        self.configure(other, host)
        self.sql("SELECT pg_reload_conf()")

    def follow_from_disk(self, other: "Member") -> None:
        """Start as a standby of another member, as a former primary does."""
        self.configure(other)
        self.start()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        self.run(f"{BIN}/pg_ctl", "-D", "/data/pgdata", "-l", "/data/server.log", "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast` as a graceful deletion does, `immediate` as a kill does."""
        self.run(f"{BIN}/pg_ctl", "-D", "/data/pgdata", "-m", mode, "-w", "stop")

    def promote(self) -> bool:
        """Promote; whether it came to be a primary."""
        return self.run(f"{BIN}/pg_ctl", "-D", "/data/pgdata", "-w", "-t", "10", "promote", check=False).returncode == 0

    def sql(self, query: str, database: str = "postgres") -> str:
        """Run SQL over the socket as the superuser; rows as psql prints them."""
        done = self.run(f"{BIN}/psql", "-h", "/run/postgresql", "-U", "postgres", "-XAtqc", query, database)
        return done.stdout.strip()

    def connect(
        self, user: str, secret: str, database: str = DATABASE, sslmode: str = "require"
    ) -> psycopg.Connection[TupleRow]:
        """A connection over the network, as a client makes it."""
        return psycopg.connect(
            host=self.address, port=POSTGRES_PORT, user=user, password=secret, dbname=database, autocommit=True,
            sslmode=sslmode, connect_timeout=5,
        )  # fmt: skip

    def write_member_config(self) -> None:
        """Write what differs between members, as the entrypoint does."""
        code = f"""
from pathlib import Path
from {PACKAGE}.entrypoint import write_config
from {PACKAGE}.paths import Paths, load_cluster
write_config(Paths(), load_cluster(Paths()), {self.name!r}, {self.address!r})
"""
        self.run(PYTHON, "-c", code)

    def member_config(self) -> str:
        """What `write_member_config` or the agent wrote."""
        return (self.folder / "patroni/conf/20-member.yml").read_text()

    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "data/server.log").read_text()

    def start_agent(self) -> None:
        """Start the agent."""
        call = (PYTHON, "-m", f"{PACKAGE}.agent", "--member", self.name, "--address", self.address)
        with (self.folder / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(self.command(*call), env=self.environment, stdout=log, stderr=log)
        eventually(lambda: bool(self.ask("health")), 20, f"agent of {self.name} answers")

    def stop_agent(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the agent."""
        if self._agent is not None:
            self._agent.send_signal(number)
            self._agent.wait(20)
            self._agent = None

    def agent_log(self) -> str:
        """What the agent wrote."""
        return (self.folder / "agent.log").read_text()

    def ask(self, path: str) -> dict[str, Any]:
        """The agent's answer; empty while there is none."""
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{self.address}:{AGENT_PORT}/{path}", timeout=2) as answer,
        ):
            value: dict[str, Any] = json.load(answer)
            return value
        return {}

    def end(self) -> None:
        """End everything at once."""
        self.stop_agent()
        with contextlib.suppress(AssertionError):
            self.stop("immediate")


class Trio:
    """Three members, the first one the primary."""

    def __init__(self, root: Path, work: Path) -> None:
        net = f"127.{192 + os.getpid() % 60}.{os.getpid() // 60 % 250}"
        addresses = {name: f"{net}.{10 + n}" for n, name in enumerate(member_names(3))}
        self.hosts = "".join(f"{address} {name}.{MEMBERS_SERVICE} {name}\n" for name, address in addresses.items())
        self.members = [Member(root, work, name, address) for name, address in addresses.items()]
        self.a, self.b, self.c = self.members

    def make(self) -> None:
        """Make a primary with roles and database, and two standbys that stream from it; then stop them all."""
        for each in self.members:
            each.furnish(self.hosts)
        self.a.init()
        self.a.start()
        self.a.run(PYTHON, "-m", f"{PACKAGE}.bootstrap")
        for standby in (self.b, self.c):
            standby.copy_of(self.a)
            standby.start()
        self.even()
        for each in self.members:
            each.stop()

    def up(self) -> None:
        """Start all."""
        for each in self.members:
            each.start()
        self.even()

    def even(self, *standbys: Member) -> None:
        """Wait until standbys have replayed all that the primary has."""
        for standby in standbys or (self.b, self.c):
            end = self.a.sql("SELECT pg_current_wal_lsn()")
            eventually(partial(replayed, standby, end), 20, f"{standby.name} has replayed all")


def replayed(standby: Member, end: str) -> bool:
    """Whether a standby has replayed up to a position."""
    return standby.sql(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "t"


def eventually(condition: Callable[[], bool], within_s: float, what: str) -> float:
    """Poll until a condition holds; returns the seconds that it took, fails the test with `what` after too many."""
    begin = time.monotonic()
    while time.monotonic() - begin < within_s:
        if condition():
            return time.monotonic() - begin
        time.sleep(0.05)
    pytest.fail(f"not within {within_s} s: {what}")


@pytest.fixture(scope="session")
def image_root() -> Path:
    """The files of the image, unpacked once for each content."""
    archive = ensure_one("postgres")
    return build_once("roots", f"postgres-{content_tag('postgres')}", lambda folder: unpack(archive, folder))


@pytest.fixture(scope="session")
def made(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of three members, made once and then copied for each test."""
    folder = tmp_path_factory.mktemp("made")
    trio = Trio(image_root, folder)
    try:
        trio.make()
    finally:
        for each in trio.members:
            each.end()
    return folder


@contextlib.contextmanager
def copied(image_root: Path, made: Path, folder: Path) -> Iterator[Trio]:
    """Three members, not started; all are ended and their folders removed afterwards."""
    subprocess.run(["cp", "-a", *(str(each) for each in made.iterdir()), str(folder)], check=True)
    trio = Trio(image_root, folder)
    try:
        yield trio
    finally:
        for each in trio.members:
            each.end()
        for each in trio.members:
            shutil.rmtree(each.folder)


@pytest.fixture
def trio(image_root: Path, made: Path, tmp_path: Path) -> Iterator[Trio]:
    """Three members for one test, not started."""
    with copied(image_root, made, tmp_path) as trio:
        yield trio


@pytest.fixture(scope="module")
def primary(image_root: Path, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """The primary alone, running, for all tests of a module that leave it as they found it."""
    with copied(image_root, made, tmp_path_factory.mktemp("primary")) as trio:
        trio.a.start()
        yield trio.a
