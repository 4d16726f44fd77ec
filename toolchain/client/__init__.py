"""A Python client of the API, generated from app/openapi.json by a pinned generator in an environment of its own."""

import os
import tempfile
from pathlib import Path

from toolchain.checks.scanners import scanner
from toolchain.kit import process
from toolchain.kit.paths import ROOT

GENERATOR = "openapi-python-client"
DOCUMENT = ROOT / "app" / "openapi.json"
OUTPUT = ROOT / ".local" / "client"
PACKAGE = "trading_client"
# What is generated is not touched by us: no formatter runs over it.
CONFIG = f"project_name_override: trading-client\npackage_name_override: {PACKAGE}\npost_hooks: []\n"


def generate(output: Path) -> Path:
    """Write the client's project, replacing what is at `output`; returns the folder.

    Raises `ToolError` with the generator's last lines, also for a part of the document that it does not understand.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(CONFIG)
        config.flush()
        argv: list[str | Path] = [scanner(GENERATOR), "generate", "--path", DOCUMENT, "--config", config.name]
        argv += ["--output-path", output, "--overwrite", "--fail-on-warning"]
        process.run("client", argv, cwd=ROOT, env=os.environ)
    return output
