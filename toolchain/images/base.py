"""The base image's root file system, made by mmdebstrap from the Debian mirror that this machine uses."""

import os
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from toolchain.kit import process
from toolchain.kit.paths import ROOT

RECIPE = ROOT / "toolchain/images/base.toml"


@dataclass(frozen=True)
class Recipe:
    """`base.toml`.

    Attributes:
        suite: Debian's code name.
        packages: packages beside the essential ones and apt.
        apt: settings of apt, for later builds too.
        dpkg: options of dpkg, for later builds too.
        excluded: path patterns that dpkg leaves out of every package.
        included: path patterns that it keeps all the same.
        removed: path patterns removed in the end.
        environment: variables of every container.
    """

    suite: str
    packages: list[str]
    apt: list[str]
    dpkg: list[str]
    excluded: list[str]
    included: list[str]
    removed: list[str]
    environment: dict[str, str]


def recipe() -> Recipe:
    """Read `base.toml`."""
    return Recipe(**tomllib.loads(RECIPE.read_text()))


def command(what: Recipe, mirrors: list[str], tar: Path) -> list[str]:
    """The mmdebstrap call that writes `tar`, and beside it a copy of the apt settings in use as the folder `apt`."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(what.packages)}",
        *(f"--aptopt={option}" for option in what.apt),
        *(f"--dpkgopt={option}" for option in what.dpkg),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in what.excluded),
        *(f"--dpkgopt=path-include={pattern}" for pattern in what.included),
        f"--customize-hook=copy-out /etc/apt {tar.parent}",
        "--customize-hook=rm -rf " + " ".join(f'"$1"{pattern}' for pattern in what.removed),
        what.suite,
        str(tar),
        *mirrors,
    ]


def sources(suite: str) -> list[str]:
    """Package sources of a suite on the mirrors of this machine's apt; empty where it has none of Debian.

    Then mmdebstrap takes its own default mirror.
    """
    try:
        targets = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except OSError:
        return []
    return source_lines(suite, targets)


def source_lines(suite: str, targets: str) -> list[str]:
    """Source lines of a suite, from lines `origin|label|address` of the machine's own package lists."""
    known = {tuple(line.split("|")[:2]): line.split("|")[2] for line in targets.splitlines() if line.count("|") == 2}
    lines = []
    if main := known.get(("Debian", "Debian")):
        lines += [f"deb {main} {suite} main", f"deb {main} {suite}-updates main"]
        if security := known.get(("Debian", "Debian-Security")):
            lines.append(f"deb {security} {suite}-security main")
    return lines


def make(what: Recipe, tar: Path) -> None:
    """Write the root file system to `tar`, and beside it, as the folder `apt`, the apt settings for builds on it."""
    env = os.environ | {"LC_ALL": "C.UTF-8"}
    process.run("base", command(what, sources(what.suite), tar), cwd=tar.parent, env=env)
