"""What everything is made of: CycloneDX bills of materials of the Python packages and of the images, and their scan."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.kit.images import IMAGES, source
from toolchain import go
from toolchain.checks import report
from toolchain.checks.report import Finding
from toolchain.checks.scanners import UV
from toolchain.images.build import ensure
from toolchain.kit import process
from toolchain.kit.console import NotAsked, say
from toolchain.kit.paths import LOCAL, ROOT

FOLDER = LOCAL / "sbom"
SEVERE = ("High", "Critical")
WORKLOADS = tuple(name for name in IMAGES if source(name).on_base)


def write(images: Sequence[str] = WORKLOADS) -> list[Path]:
    """Write the bills to `.local/sbom/`; images are built where they are not in the cache. Returns the files."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    return [of_packages(FOLDER), *of_images(FOLDER, ensure(images) if images else {})]


def of_packages(folder: Path) -> Path:
    """The bill of what the lock installs to declare and run the platform, without what only tests and linters need."""
    path = folder / "python.cdx.json"
    options = ["--format", "cyclonedx1.5", "--preview-features", "sbom-export", "--output-file", str(path)]
    export: list[str | Path] = [UV, "export", "--frozen", "--quiet", "--all-packages", "--no-dev"]
    process.run("bill of packages", [*export, *options], cwd=ROOT, env=os.environ)
    return path


def of_images(folder: Path, archives: dict[str, Path]) -> list[Path]:
    """The bills of image archives: their Debian and Python packages, as syft reads them from the layers."""
    paths = []
    for name, archive in archives.items():
        paths.append(folder / f"{name}.cdx.json")
        argv: list[str | Path] = [tool("syft"), "scan", f"docker-archive:{archive}", "--quiet"]
        options = ["--source-name", name, "--output", f"cyclonedx-json={paths[-1]}"]
        env = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false", "SYFT_FILE_METADATA_SELECTION": "none"}
        process.run(f"bill of image {name}", [*argv, *options], cwd=folder, env=env)
        say(f"    {paths[-1].name}: {len(json.loads(paths[-1].read_text())['components'])} components")
    return paths


def scan() -> str:
    """Ask grype about the images' bills: severe vulnerabilities for which there is a fixed version.

    Returns: a closing line.

    Raises:
        ToolError: with the findings that nobody waived.
        NotAsked: its database could not be had.
    """
    findings = [found for path in of_images_only(write()) for found in ask(path)]
    return report.conclude("grype", findings, f"images {', '.join(WORKLOADS)}")


def of_images_only(paths: Sequence[Path]) -> list[Path]:
    """Without the bill of the Python lock, about which pip-audit is asked."""
    return [path for path in paths if path.name != "python.cdx.json"]


def ask(path: Path) -> list[Finding]:
    """What grype knows about one bill."""
    argv: list[str | Path] = [tool("grype"), f"sbom:{path}", "--only-fixed", "--output", "json"]
    env = os.environ | {"GRYPE_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(argv, cwd=FOLDER, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotAsked(f"grype: nothing was checked, it needs its database:\n{(done.stderr or done.stdout)[-1000:]}")
    return from_grype(path.name.partition(".")[0], json.loads(done.stdout))


def from_grype(image: str, result: dict[str, Any]) -> list[Finding]:
    """The severe matches of grype's JSON."""
    found = []
    for match in result["matches"]:
        known, package = match["vulnerability"], match["artifact"]
        if known["severity"] in SEVERE:
            fixed = ", ".join(known["fix"]["versions"])
            text = f"{package['name']} {package['version']}; {known['severity'].lower()}, fixed in {fixed}"
            found.append(Finding(known["id"], f"{image}/{package['name']}", text))
    return found


def tool(name: str) -> Path:
    """The path of syft or grype, built where it is not in the cache."""
    return go.ensure([name]) / name
