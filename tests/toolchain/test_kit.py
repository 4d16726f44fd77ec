"""The toolchain's kit: builds that happen once, locks, package installation."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from toolchain.kit import cache, host
from toolchain.kit.console import ToolError
from toolchain.kit.paths import cache_dir


@pytest.fixture(autouse=True)
def _scratch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_CACHE", str(tmp_path / "cache"))


def test_a_build_happens_once_also_for_callers_at_the_same_time() -> None:
    builds: list[Path] = []

    def build(folder: Path) -> None:
        builds.append(folder)
        time.sleep(0.05)
        (folder / "result").write_text("1")

    found: list[Path] = []

    def call() -> None:
        found.append(cache.build_once("k", "1", build))

    callers = [threading.Thread(target=call, daemon=True) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(builds) == 1
    assert len(set(found)) == 1
    assert (found[0] / "result").read_text() == "1"


def test_a_failed_build_leaves_nothing_and_is_tried_again() -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ToolError("no")

    with pytest.raises(ToolError):
        cache.build_once("k", "2", fail)
    assert [p.name for p in (cache_dir() / "k").iterdir()] == [".2.lock"]
    assert cache.build_once("k", "2", lambda folder: (folder / "whole").touch()).is_dir()


def test_the_hash_sees_names_bytes_modes_and_extras(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("1")

    def digest(*extra: str) -> str:
        return cache.content_hash([folder], *extra, relative_to=tmp_path)

    seen = [digest(), digest("x")]
    (folder / "a").chmod(0o755)
    seen.append(digest())
    (folder / "a").write_text("2")
    seen.append(digest())
    (folder / "a").rename(folder / "b")
    seen.append(digest())
    assert len(set(seen)) == len(seen)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/x.pyc").touch()
    assert digest() == seen[-1]


def test_only_packages_whose_command_is_missing_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(host, "apt_get", lambda *args: calls.append(args))
    host.apt_ensure({"sh": "dash"})
    assert calls == []
    host.apt_ensure({"sh": "dash", "no-such-command": "its-package"})
    assert [c[0] for c in calls] == ["update", "install"]
    assert calls[1][-1] == "its-package"


def test_without_apt_the_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"missing on this machine: its-package; install"):
        host.apt_ensure({"no-such-command": "its-package"})


def test_not_root_is_told_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ToolError, match=r"needs root .* uid is 1000; run it with sudo, or use KUBECONFIG"):
        host.require_root_linux("the local cluster")


def test_a_tool_error_is_one_line_and_exit_1() -> None:
    program = "from toolchain.kit.console import *\ndef main(): raise ToolError('a = 1: no; do b')\nmain_guard(main)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: a = 1: no; do b\n")
