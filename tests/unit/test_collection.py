"""Every file with tests in it is collected."""

import re

from toolchain.kit.paths import ROOT


def test_no_file_hides_its_tests() -> None:
    folders = (ROOT / "tests", ROOT / "app" / "tests")
    files = [path for folder in folders for path in folder.rglob("*.py") if not path.name.startswith("test_")]
    hidden = [str(path.relative_to(ROOT)) for path in files if re.search(r"^def test_", path.read_text(), re.MULTILINE)]
    assert hidden == []


def test_conftest_only_lists_plugins() -> None:
    assert "def " not in (ROOT / "tests" / "conftest.py").read_text()
