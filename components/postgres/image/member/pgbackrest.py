"""pgBackRest as the pods of the backups use it: its secrets, its answers, its commands."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.postgres.image.member import render, tls
from components.postgres.image.member.paths import Paths

STANZA = "trading"
MEMBER, BACKUP = "postgres-member", "postgres-backup"
"""Common names: who is let in where."""

SECRETS = {"passphrase": "repo1-cipher-pass", "s3-key": "repo1-s3-key", "s3-key-secret": "repo1-s3-key-secret"}
"""File of the mounted Secret to the option that takes it."""


@dataclass(frozen=True)
class Backup:
    """One backup: when it began and ended (Unix seconds), what it restores and what it takes (bytes)."""

    label: str
    kind: str
    start: int
    stop: int
    size: int
    stored: int
    broken: bool


@dataclass(frozen=True)
class Repository:
    """What a repository holds; `problem` is empty when it can be used."""

    problem: str
    cipher: str = ""
    backups: tuple[Backup, ...] = ()
    newest_wal: str = ""

    @property
    def newest(self) -> Backup | None:
        """The newest whole backup."""
        return next((one for one in reversed(self.backups) if not one.broken), None)


def tls_folder(paths: Paths) -> Path:
    """Where the certificates lie."""
    return paths.runtime / "pgbackrest/tls"


def secrets_folder(paths: Paths) -> Path:
    """What pgBackRest reads beside its configuration."""
    return paths.runtime / "pgbackrest/conf.d"


def prepare(paths: Paths, name: str, host: str) -> None:
    """Make what pgBackRest needs at the start of a pod."""
    write_secrets(paths)
    seed = (paths.credentials / "postgres-backup-tls/seed").read_text().strip()
    make = tls_folder(paths)
    make.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls.make_certificates(make, seed, name, host)


def write_secrets(paths: Paths) -> bool:
    """Bring the file with secret options in step with the mounted Secret, if there is one; whether that changed it."""
    mounted = paths.credentials / "postgres-backup"
    options = [
        f"{option}={file.read_text().strip()}" for name, option in SECRETS.items() if (file := mounted / name).exists()
    ]
    target = secrets_folder(paths) / "secrets.conf"
    text = "\n".join(["[global]", *options, ""])
    if target.exists() and target.read_text() == text:
        return False
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    render.write_private(target, text)
    return True


def run(command: str, *options: str) -> None:
    """Run a command with its log passed on. Raises `subprocess.CalledProcessError` when it fails."""
    subprocess.run(["pgbackrest", f"--stanza={STANZA}", *options, command], check=True)


def look() -> Repository:
    """What the repository holds, as this pod sees it."""
    command = ["pgbackrest", f"--stanza={STANZA}", "--output=json", "--log-level-stderr=error", "info"]
    done = subprocess.run([*command, "--log-level-console=off"], capture_output=True, check=False)
    if done.returncode:
        said = readable(done.stderr or done.stdout).splitlines()
        return Repository(said[0] if said else f"pgbackrest info ends with {done.returncode}")
    return parse(json.loads(readable(done.stdout)))


def readable(answer: bytes) -> str:
    """An answer as text: with a wrong passphrase pgBackRest shows what it read, which is noise. Pure."""
    text = answer.decode(errors="replace").strip()
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)


def parse(answer: list[Mapping[str, Any]]) -> Repository:
    """The repository in what `pgbackrest info --output=json` says. Raises KeyError for anything else."""
    if not answer:
        return Repository("no backup was made yet, and no log archived")
    stanza = answer[0]
    backups = tuple(
        Backup(
            label=one["label"], kind=one["type"], start=one["timestamp"]["start"], stop=one["timestamp"]["stop"],
            size=one["info"]["size"], stored=one["info"]["repository"]["delta"], broken=bool(one.get("error")),
        )
        for one in stanza["backup"]
    )  # fmt: skip
    segments = [one["max"] for one in stanza["archive"] if one.get("max")]
    problems = [one["status"]["message"] for one in stanza["repo"] if one["status"]["code"] not in (0, 2)]
    problem = problems[0] if problems else "" if backups else "no backup was made yet"
    return Repository(problem, stanza.get("cipher", ""), backups, segments[-1] if segments else "")
