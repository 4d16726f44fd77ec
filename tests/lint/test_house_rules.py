"""Every test is collected, files stay small, imports go one way, nothing is silenced without a reason."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolchain.kit.paths import ROOT

COMPONENT_LINES = 250
FILE_LINES = 400
MAIN_LINES = 40
FOLDERS = ("app", "bench", "components", "drills", "policies", "stacks", "tests", "toolchain")


def sources() -> Iterator[Path]:
    """The repository's own Python files."""
    yield from ROOT.glob("*.py")
    for folder in FOLDERS:
        yield from (path for path in ROOT.glob(f"{folder}/**/*.py") if "__pycache__" not in path.parts)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def lines_with(pattern: str) -> list[str]:
    """Where a pattern stands in a source, this file left out."""
    found = re.compile(pattern)
    return [
        f"{name(path)}:{number}"
        for path in sources()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if found.search(line)
    ]


def defines_a_test(path: Path) -> bool:
    text = path.read_text()
    return "def test_" in text and any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        for node in ast.walk(ast.parse(text))
    )


def test_every_file_with_a_test_is_collected() -> None:
    """Pytest looks into `test_*.py` below its testpaths and nowhere else; a test beside them never runs."""
    testpaths = [ROOT / path for path in settings()["tool"]["pytest"]["ini_options"]["testpaths"]]
    lost = [
        name(path)
        for path in sources()
        if defines_a_test(path)
        and not (path.name.startswith("test_") and any(path.is_relative_to(folder) for folder in testpaths))
    ]
    assert not lost, "\n".join(lost)


def test_files_stay_small_enough_to_read_in_one_sitting() -> None:
    limits = {
        path: COMPONENT_LINES if path.is_relative_to(ROOT / "components") else FILE_LINES for path in sources()
    } | {ROOT / "__main__.py": MAIN_LINES}
    lengths = {path: len(path.read_text().splitlines()) for path in limits if path.exists()}
    long = [
        f"{name(path)}: {lengths[path]} lines, at most {limits[path]}"
        for path in lengths
        if lengths[path] > limits[path]
    ]
    assert not long, "\n".join(long)


def test_imports_go_one_way() -> None:
    """The contracts of import-linter in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_the_import_contracts_know_every_component() -> None:
    """A component that is missing from the list may import any other."""
    folders = {
        f"components.{path.parent.name}" for path in ROOT.glob("components/*/component.py") if path.parent.name != "kit"
    }
    contracts = settings()["tool"]["importlinter"]["contracts"]
    [independent] = [set(contract["modules"]) for contract in contracts if contract["type"] == "independence"]
    assert folders - independent == set()


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"noqa:.*\b(C901|PLR09\d\d)", "a function that is too complex is split, not excused"),
        (r"#\s*noqa(?!:)", "an exception names its rule"),
        (r"#\s*type:\s*ignore(?!\[)", "an exception names its rule"),
        (r"\bpytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b", "a test runs or is not there"),
        (r"\bthreading\.Thread\((?!.*daemon=True)", "a thread that a failed test leaves would hang the run"),
        (r"#\s*(TODO|FIXME|XXX)\b", "unfinished work is an issue, not a comment"),
    ],
)
def test_no_source_line_breaks_a_house_rule(pattern: str, reason: str) -> None:
    found = lines_with(pattern)
    assert not found, f"{reason}:\n" + "\n".join(found)
