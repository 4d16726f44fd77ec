"""Restore from the repository: what an operator wants restored, and Patroni's `bootstrap.pgbackrest` that does it.

The wish stands in a ConfigMap that `make restore` writes and takes back: `id`, new for each restore, and `to`, a moment
or nothing for all there is. A member that starts and has not seen the id empties its volume; the one that wins the race
to begin the cluster then restores instead of making a new one, and the others copy from it.
"""

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from components.postgres.image.member import pgbackrest
from components.postgres.image.member.durable import write_durably
from components.postgres.image.member.paths import Paths

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Wish:
    """A restore that is wanted: its id, and the moment, as PostgreSQL reads it; none means all that is archived."""

    identity: str
    to: str = ""


def read_wish(folder: Path) -> Wish | None:
    """The wish in a mounted ConfigMap; None where there is none."""
    try:
        identity = (folder / "id").read_text().strip()
        to = (folder / "to").read_text().strip()
    except FileNotFoundError:
        return None
    return Wish(identity, to) if identity else None


def clear_volume(paths: Paths, wish: Wish) -> bool:
    """Empty the volume for a restore that it has not seen, marks and promises too; whether it did.

    What a member remembers of positions is of the log that is left behind: with it the guard would refuse the restored
    cluster, rightly. The id is written last, so that a cut in between begins again.
    """
    if paths.restored.exists() and paths.restored.read_text() == wish.identity:
        return False
    shutil.rmtree(paths.data, ignore_errors=True)
    shutil.rmtree(paths.spool, ignore_errors=True)
    for file in (paths.marks, paths.reserved, paths.accepted_loss):
        file.unlink(missing_ok=True)
    write_durably(paths.restored, wish.identity)
    return True


def target_options(to: str) -> list[str]:
    """The options of `pgbackrest restore` that choose backup and end; with none it is all that is archived."""
    return ["--type=time", f"--target={to}", "--target-action=promote"] if to else ["--type=default"]


def bootstrap_config(wish: Wish, program: str) -> dict[str, object]:
    """The part of Patroni's configuration that makes a new cluster a restored one."""
    recovery = {
        "restore_command": f'pgbackrest --stanza={pgbackrest.STANZA} archive-get %f "%p"',
        "recovery_target_timeline": "latest",
        "recovery_target_action": "promote",
    }
    if wish.to:
        recovery["recovery_target_time"] = wish.to
    command = f"{program} --to '{wish.to}'"
    return {"method": "pgbackrest", "pgbackrest": {"command": command, "no_params": True, "recovery_conf": recovery}}


def main() -> None:
    """Restore into the empty data directory; the server beside this container makes the certificates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="", help="moment to end at; all that is archived when empty")
    args = parser.parse_args()
    paths = Paths()
    deadline = time.monotonic() + PATIENCE_S
    while not pgbackrest.tls_folder(paths).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    begin = time.monotonic()
    pgbackrest.run("restore", *target_options(args.to), "--log-level-console=info")
    print(f"restore: files are back after {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
