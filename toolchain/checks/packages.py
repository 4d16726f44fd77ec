"""The locked Python packages, asked for known vulnerabilities: pip-audit over everything that is installed anywhere."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolchain.checks import report
from toolchain.checks.report import Finding
from toolchain.checks.scanners import LOCKS, UV, scanner, scanners
from toolchain.kit import process
from toolchain.kit.console import NotAsked
from toolchain.kit.paths import ROOT

NAMED = 5
IN_IMAGES = ("app/trading/requirements.txt", "components/postgres/image/requirements*.txt")


def check() -> str:
    """Ask about every pinned version of every lock; returns a closing line.

    Raises:
        ToolError: with the findings that nobody waived.
        NotAsked: the advisory service did not answer for every package; what it did find is a `ToolError` first.
    """
    with tempfile.TemporaryDirectory() as scratch:
        lists = requirements(Path(scratch))
        answers = [from_pip_audit(*ask(path)) for path in lists]
    findings = [finding for found, _ in answers for finding in found]
    unanswered = sorted({name for _, names in answers for name in names})
    line = report.conclude("pip-audit", findings, f"{len(lists)} lists of packages")
    if unanswered:
        raise NotAsked(not_answered(unanswered))
    return line


def requirements(folder: Path) -> list[Path]:
    """The lists of pinned packages with their hashes: the images' own, and each uv.lock exported to `folder`."""
    locks = {"platform": ROOT} | {name: LOCKS / name for name in scanners()}
    lists: list[Path] = []
    for name, where in locks.items():
        lists.append(folder / f"{name}.txt")
        which = ["--frozen", "--quiet", "--no-emit-workspace", "--all-packages", "--all-groups"]
        options = ["--format", "requirements.txt", "--output-file", str(lists[-1])]
        process.run(f"export of {name}", [UV, "export", *which, *options], cwd=where, env=os.environ)
    return lists + sorted(path for pattern in IN_IMAGES for path in ROOT.glob(pattern))


def ask(path: Path) -> tuple[str, str]:
    """What pip-audit says about a list, output and messages. One list a call: versions differ between them."""
    fixed = ["--require-hashes", "--disable-pip", "--format", "json", "--desc", "off", "--progress-spinner", "off"]
    argv: list[str | Path] = [scanner("pip-audit"), *fixed, "--requirement", path]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def from_pip_audit(out: str, messages: str) -> tuple[list[Finding], list[str]]:
    """The vulnerabilities, and the packages about which there was no answer, from what pip-audit printed.

    Raises `NotAsked` when it gave no result at all.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(out)["dependencies"]
    except ValueError:
        raise NotAsked(f"pip-audit: it gave no result, so nothing was checked:\n{messages[-1000:].strip()}") from None
    if not packages:
        raise NotAsked("pip-audit: it was given no package; look at the lists in toolchain/checks/packages.py")
    findings = [finding(package, known) for package in packages for known in package.get("vulns", ())]
    return findings, [package["name"] for package in packages if "skip_reason" in package]


def finding(package: Mapping[str, Any], known: Mapping[str, Any]) -> Finding:
    """One vulnerability of one package."""
    fixed = ", ".join(known["fix_versions"]) or "no version yet"
    return Finding(known["id"], package["name"], f"{package['name']} {package['version']}; fixed in {fixed}")


def not_answered(names: Sequence[str]) -> str:
    """The message for packages that are as unknown as before."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"pip-audit: the advisory service of the package index knows nothing of {', '.join(names[:NAMED])}{more}: "
        "these were not checked; run it where the index itself is reached, not a mirror"
    )
