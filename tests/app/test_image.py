"""What the image is made of follows from the lock file and the package."""

import re
import tomllib
from typing import Any

import trading
from toolchain.kit.paths import ROOT

APP = ROOT / "app"
FOREIGN = {"colorama", "typing-extensions", "backports-zoneinfo"}  # for other systems or older Pythons


def test_requirements_are_what_the_lock_file_says() -> None:
    """Renew with: uv export --package trading --frozen --no-emit-project --no-dev --no-header -q."""
    lock = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    wanted, queue = set(), [d["name"] for d in lock["trading"]["dependencies"]]
    queue += [name for d in lock["trading"]["dependencies"] for name in extras(lock, d)]
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue += [n for d in lock[name].get("dependencies", ()) for n in (d["name"], *extras(lock, d))]
    text = (APP / "trading" / "requirements.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))
    assert pinned == {name: lock[name]["version"] for name in wanted if name in pinned}
    assert wanted - pinned.keys() <= FOREIGN, "missing from requirements.txt"
    hashes = {part["hash"] for name in pinned for part in files(lock[name])}
    assert set(re.findall(r"--hash=(\S+)", text)) <= hashes


def files(package: dict[str, Any]) -> list[dict[str, Any]]:
    """What a package can be installed from."""
    return [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]


def extras(lock: dict[str, dict[str, Any]], dependency: dict[str, Any]) -> list[str]:
    """What the extras of a dependency bring."""
    optional = lock[dependency["name"]].get("optional-dependencies", {})
    return [d["name"] for extra in dependency.get("extra", ()) for d in optional[extra]]


def test_version_is_said_once() -> None:
    assert tomllib.loads((APP / "pyproject.toml").read_text())["project"]["version"] == trading.__version__
