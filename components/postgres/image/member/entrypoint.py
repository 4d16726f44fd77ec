"""Start of a member: lock the volume, prepare what Patroni needs, become Patroni."""

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from components.postgres.image.member import credentials, login, render, restore
from components.postgres.image.member.paths import Cluster, Paths, load_cluster
from components.postgres.image.member.segments import repair

PATRONI = "/opt/patroni/bin/patroni"
SAY_EVERY_S = 10.0


def main() -> None:
    """Prepare, then exec Patroni, which as process 1 reaps what PostgreSQL and the process beside it leave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", required=True, help="name of this member, that of its pod")
    parser.add_argument("--address", required=True, help="address at which other members reach it")
    args = parser.parse_args()
    paths = Paths()
    cluster = load_cluster(paths)
    hold_lock(paths.volume / ".lock")
    wish = restore.read_wish(paths.wish)
    if wish is not None and restore.clear_volume(paths, wish):
        say(f"emptied the volume for restore {wish.identity}")
    prepare_data(paths)
    make_certificate(paths.runtime / "tls", args.member)
    write_config(paths, cluster, args.member, args.address)
    write_wish(paths, wish)
    identity = ["--member", args.member, "--address", args.address]
    subprocess.Popen([render.PYTHON, "-m", f"{render.PACKAGE}.yielding", *identity])
    os.execv(PATRONI, [PATRONI, str(render.config_folder(paths))])  # noqa: S606  no shell is wanted


def say(text: str) -> None:
    """One line into the pod's log."""
    print(f"entrypoint: {text}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log is its only channel


def hold_lock(file: Path) -> int:
    """Take the volume's exclusive lock, waiting as long as another pod has it; returns the descriptor.

    A pod that was deleted by force may live on while its successor starts on the same volume. To Patroni both are the
    same member, so the end of the old one would release the leader lock that the new one has just taken, and two
    postmasters could write into one data directory: in two PID namespaces they cannot see each other. The descriptor
    goes to Patroni, so that the kernel drops the lock when the last process of the old pod that has it is gone.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    said = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() - said > SAY_EVERY_S:
                say("another pod still holds the data volume; waiting for its end")
                said = time.monotonic()
            time.sleep(0.1)
        else:
            os.set_inheritable(descriptor, True)
            return descriptor


def prepare_data(paths: Paths) -> None:
    """Undo what a kubelet does to a volume's modes, and put right what PostgreSQL would not start over."""
    if not paths.data.is_dir():
        return
    paths.data.chmod(0o700)
    for done in repair(paths):
        say(done)


def make_certificate(folder: Path, name: str) -> None:
    """A key and a self-signed certificate for this start of the pod: encryption on the wire, not identity."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, certificate = folder / "server.key", folder / "server.crt"
    command = ["openssl", "req", "-x509", "-noenc", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-days", "3650", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o600)


def write_config(paths: Paths, cluster: Cluster, member: str, address: str) -> None:
    """Write the folder that Patroni reads, and the passwords.

    The slot is the one that works at the primary; without a primary to ask it is the current one.
    """
    folder = render.config_folder(paths)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    common = folder / "10-common.yml"
    common.unlink(missing_ok=True)
    common.symlink_to(paths.config / "patroni.yml")
    credential = credentials.read(paths.credentials, credentials.REPLICATION)
    slot = login.working_slot(cluster, credential) or credential.current
    render.write_private(render.password_file(paths), render.password_lines(credential))
    render.write_private(render.member_file(paths), render.member_config(cluster, member, address, slot))


def write_wish(paths: Paths, wish: restore.Wish | None) -> None:
    """Let a new cluster be begun from the repository while a restore is wanted, and by `initdb` otherwise."""
    file = render.config_folder(paths) / "15-restore.yml"
    file.unlink(missing_ok=True)
    if wish is not None:
        program = f"{render.PYTHON} -m {render.PACKAGE}.restore"
        render.write_private(file, json.dumps({"bootstrap": restore.bootstrap_config(wish, program)}))


if __name__ == "__main__":
    main()
