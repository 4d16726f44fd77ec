"""Where things are in a member's pod, and what it is told about the others."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders of a member; the defaults are those of the image and of the StatefulSet.

    Attributes:
        volume: root of the data volume.
        sockets: PostgreSQL's Unix socket.
        runtime: a folder in memory for what is rendered at the start of a pod: Patroni's configuration, certificate.
        config: the mounted ConfigMap.
        credentials: one mounted Secret a kind.
        programs: PostgreSQL's programs.
        wish: the mounted ConfigMap with the restore that is wanted, see `restore`.
        status: the mounted ConfigMap with how the jobs of the backups went, see `status`.
    """

    volume: Path = Path("/data")
    sockets: Path = Path("/run/postgresql")
    runtime: Path = Path("/run/patroni")
    config: Path = Path("/etc/patroni")
    credentials: Path = Path("/credentials")
    programs: Path = Path("/usr/lib/postgresql/17/bin")
    wish: Path = Path("/etc/postgres-restore")
    status: Path = Path("/etc/postgres-backup-status")

    @property
    def data(self) -> Path:
        """PGDATA: below the root of the volume, whose mode and `lost+found` are not ours."""
        return self.volume / "pgdata"

    @property
    def wal(self) -> Path:
        """The write-ahead log."""
        return self.data / "pg_wal"

    @property
    def marks(self) -> Path:
        """The high-water marks, see `marks`."""
        return self.volume / "marks.json"

    @property
    def reserved(self) -> Path:
        """The timeline number that this member has last promised to nobody else, see `numbers`."""
        return self.volume / "reserved.json"

    @property
    def accepted_loss(self) -> Path:
        """What an operator writes to accept a loss, see `promote`."""
        return self.volume / "accept-loss"

    @property
    def spool(self) -> Path:
        """What pgBackRest notes of the log that it sends."""
        return self.volume / "spool"

    @property
    def restored(self) -> Path:
        """The id of the last restore that this volume was emptied for, see `restore`."""
        return self.volume / "restored"


@dataclass(frozen=True)
class Cluster:
    """What every member knows of the cluster, from `member.json` in the ConfigMap.

    Attributes:
        members: names of all members, this one too.
        domain: the headless Service, under which each member has its name.
        acks: standbys that must flush a commit before it is acknowledged.
        postgres_port: PostgreSQL's port.
        patroni_port: Patroni's REST API.
        agent_port: the agent's HTTP port.
        database: the application's database.
    """

    members: tuple[str, ...]
    domain: str
    acks: int
    postgres_port: int
    patroni_port: int
    agent_port: int
    database: str

    def host(self, member: str) -> str:
        """A member's DNS name within the namespace."""
        return f"{member}.{self.domain}"


def load_cluster(paths: Paths) -> Cluster:
    """Read `member.json`. Raises OSError, TypeError or ValueError when it is not what the component writes."""
    values = json.loads((paths.config / "member.json").read_text())
    return Cluster(**values | {"members": tuple(values["members"])})
