"""The Python language host as the engine calls it; programs are run by a stand-in for the SDK's executor."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2 as rpc
from pulumi.runtime.proto import language_pb2_grpc

from tests.plugins.wire import Plugin, plugin
from toolchain.plugins.language.environment import Environment
from toolchain.plugins.language.install import install_commands
from toolchain.plugins.values import marshal

EXECUTOR = """
import json, os, subprocess, sys, time
program = sys.argv[-1]
os.chdir(sys.argv[sys.argv.index("--pwd") + 1])
seen = {"argv": sys.argv[1:], "prefix": sys.prefix, "path": os.environ["PATH"].split(":")[0]}
seen |= {name: os.environ[name] for name in ("VIRTUAL_ENV", "PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS")}
open("seen", "w").write(json.dumps(seen))
print("said by the program", flush=True)
if program == "wait":
    subprocess.Popen(["sleep", "60"])
    open("waiting", "w").write(str(os.getpid()))
    time.sleep(60)
if program == "crash":
    os.abort()
sys.exit(int(program) if program.isdigit() else 0)
"""


Host = language_pb2_grpc.LanguageRuntimeStub


@contextmanager
def language_host(folder: Path) -> Iterator[Plugin]:
    (folder / "executor").write_text(EXECUTOR)
    command = [f"-use-executor={folder / 'executor'}"]
    with plugin("language", folder, "-root=/p", "127.0.0.1:9", command=command) as process:
        yield process


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with language_host(tmp_path_factory.mktemp("host")) as process:
        yield Host(process.channel)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Plugin]:
    """A process that the test may end."""
    with language_host(tmp_path) as process:
        yield process


def info(folder: Path, entry: str = ".", **options: object) -> rpc.ProgramInfo:
    """A program in the tests' own environment, unless the options say otherwise."""
    return rpc.ProgramInfo(
        root_directory=str(folder),
        program_directory=str(folder),
        entry_point=entry,
        options=marshal({"virtualenv": sys.prefix} | options),
    )


def request(folder: Path, entry: str, **options: object) -> rpc.RunRequest:
    return rpc.RunRequest(
        project="trading", stack="dev", pwd=str(folder), parallel=16, dryRun=True, organization="organization",
        monitor_address="127.0.0.1:8", config={"trading:a": "1"}, configSecretKeys=["trading:b"],
        info=info(folder, entry, **options),
    )  # fmt: skip


def test_the_executor_gets_what_the_official_host_gives_it(host: Host, tmp_path: Path) -> None:
    answer = host.Run(request(tmp_path, "."), timeout=30)
    assert (answer.error, answer.bail) == ("", False)
    seen = json.loads((tmp_path / "seen").read_text())
    flags = dict(zip(seen["argv"][:-1:2], seen["argv"][1:-1:2], strict=True))
    assert flags == {
        "--monitor": "127.0.0.1:8", "--engine": "127.0.0.1:9", "--project": "trading", "--stack": "dev",
        "--root_directory": str(tmp_path), "--pwd": str(tmp_path), "--dry_run": "true", "--parallel": "16",
        "--organization": "organization",
    }  # fmt: skip
    assert seen["argv"][-1] == "."
    assert (seen["prefix"], seen["VIRTUAL_ENV"], seen["path"]) == (sys.prefix, sys.prefix, f"{sys.prefix}/bin")
    assert json.loads(seen["PULUMI_CONFIG"]) == {"trading:a": "1"}
    assert json.loads(seen["PULUMI_CONFIG_SECRET_KEYS"]) == ["trading:b"]


def test_the_programs_output_is_passed_on(own: Plugin, tmp_path: Path) -> None:
    Host(own.channel).Run(request(tmp_path, "."), timeout=30)
    own.channel.close()
    assert own.end(2) == (0, "said by the program\n")


@pytest.mark.parametrize(
    ("entry", "error", "bail"),
    [
        ("3", "program exited with non-zero exit code: 3", False),
        ("32", "", True),  # the program has told the user itself
        ("crash", "program was ended by signal 6 (SIGABRT)", False),
    ],
)
def test_the_exit_status_decides(host: Host, tmp_path: Path, entry: str, error: str, bail: bool) -> None:
    answer = host.Run(request(tmp_path, entry), timeout=30)
    assert (answer.error, answer.bail) == (error, bail)


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 10
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} does not appear"
        time.sleep(0.01)
    return int(path.read_text())


def group_is_gone(group: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not subprocess.run(["ps", "-o", "pid=", "--sid", str(group)], capture_output=True).stdout.strip():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("how", ["call", "signal", "cancel"])
def test_cancelling_ends_the_program_and_what_it_started(own: Plugin, tmp_path: Path, how: str) -> None:
    host = Host(own.channel)
    call = host.Run.future(request(tmp_path, "wait"))
    group = wait_for(tmp_path / "waiting")
    begin = time.monotonic()
    if how == "call":
        call.cancel()  # type: ignore[no-untyped-call]
    elif how == "signal":
        assert own.end(2)[0] == 0
    else:
        host.Cancel(Empty(), timeout=5)
        assert call.result().error == "program was ended by signal 15 (SIGTERM)"
    assert group_is_gone(group)
    assert time.monotonic() - begin < 10


def test_providers_come_with_the_versions_of_the_installed_packages(host: Host, tmp_path: Path) -> None:
    packages = host.GetRequiredPackages(rpc.GetRequiredPackagesRequest(info=info(tmp_path)), timeout=30).packages
    assert {(p.name, p.kind, p.version) for p in packages} == {
        ("random", "resource", f"v{version('pulumi-random')}"),
        ("kubernetes", "resource", f"v{version('pulumi-kubernetes')}"),
    }


def test_the_installed_packages_are_those_that_python_knows(host: Host, tmp_path: Path) -> None:
    def named(transitive: bool) -> dict[str, str]:
        query = rpc.GetProgramDependenciesRequest(info=info(tmp_path), transitiveDependencies=transitive)
        return {dep.name: dep.version for dep in host.GetProgramDependencies(query, timeout=30).dependencies}

    everything, direct = named(transitive=True), named(transitive=False)
    for name in ("pulumi", "grpcio", "pulumi-random", "typing-extensions"):
        assert everything[name] == version(name)
    assert direct.items() < everything.items()
    assert "pulumi-random" in direct
    assert "grpcio" not in direct


def test_about_names_the_interpreter(host: Host, tmp_path: Path) -> None:
    answer = host.About(rpc.AboutRequest(info=info(tmp_path)), timeout=30)
    assert answer.executable == f"{sys.prefix}/bin/python"
    assert answer.version == ".".join(str(part) for part in sys.version_info[:3])


def test_without_a_virtualenv_the_python_on_path_runs(host: Host, tmp_path: Path) -> None:
    answer = host.About(rpc.AboutRequest(info=info(tmp_path, virtualenv="")), timeout=30)
    assert Path(answer.executable).name in ("python3", "python")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"virtualenv": "absent"}, 'set to "absent", but "{folder}/absent" doesn\'t exist; run: python3 -m venv'),
        ({"virtualenv": "."}, "doesn't appear to be a virtual environment"),
        ({"toolchain": "poetry"}, "unsupported toolchain option: poetry; use pip or uv"),
        ({"typechecker": "pytype"}, "unsupported typechecker option: pytype; use mypy or pyright"),
        ({"virtualenv": 3}, "virtualenv option must be a string"),
        ({"typechecker": "pyright"}, "The typechecker option is set to pyright, but pyright is not installed"),
    ],
)
def test_wrong_options_are_named(host: Host, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        host.Run(request(tmp_path, ".", **options), timeout=30)
    assert message.format(folder=tmp_path) in str(failed.value.details())
    assert not (tmp_path / "seen").exists()


def test_types_are_checked_before_the_program_runs(own: Plugin, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("count: int = 'three'\n")
    with pytest.raises(grpc.RpcError) as failed:
        Host(own.channel).Run(request(tmp_path, ".", typechecker="mypy"), timeout=60)
    assert failed.value.details() == "mypy failed: exited with non-zero exit code: 1"
    assert not (tmp_path / "seen").exists()
    own.channel.close()
    assert "Incompatible types in assignment" in own.end(2)[1]


def test_an_installers_output_is_passed_on_and_its_failure_named(host: Host, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "ran $*"; echo oops >&2; exit 4\n')
    python.chmod(0o755)
    (tmp_path / "requirements.txt").write_text("pulumi\n")
    query = rpc.InstallDependenciesRequest(info=info(tmp_path, virtualenv="venv"), directory=str(tmp_path))
    stdout, stderr = b"", b""

    def collect() -> None:
        nonlocal stdout, stderr
        for answer in host.InstallDependencies(query, timeout=30):
            stdout, stderr = stdout + answer.stdout, stderr + answer.stderr

    with pytest.raises(grpc.RpcError) as failed:
        collect()
    assert stdout.endswith(b"ran -m pip install --disable-pip-version-check -r requirements.txt\n")
    assert stderr == b"oops\n"
    assert str(failed.value.details()).endswith("-r requirements.txt: program exited with non-zero exit code: 4")


@pytest.mark.parametrize(
    ("options", "files", "expected"),
    [
        ({"virtualenv": "venv"}, ["requirements.txt"], ["-m venv venv", "-m pip install -r requirements.txt"]),
        ({"virtualenv": "venv"}, ["pyproject.toml"], ["-m venv venv", "-m pip install -e ."]),
        ({"virtualenv": "venv"}, [], ["-m venv venv"]),
        ({}, ["requirements.txt"], ["-m pip install -r requirements.txt"]),
    ],
)
def test_a_missing_virtualenv_is_made_before_anything_is_installed(
    tmp_path: Path, options: dict[str, str], files: list[str], expected: list[str]
) -> None:
    for name in files:
        (tmp_path / name).touch()
    commands = install_commands(Environment.of(str(tmp_path), options), tmp_path)
    plain = [" ".join(command[1:]).replace(f"{tmp_path}/", "") for command in commands]
    assert [text.replace("--disable-pip-version-check ", "") for text in plain] == expected


def test_a_plugin_written_in_python_runs_with_its_output_passed_on(host: Host, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys; print(sys.argv[1:], os.environ['A']); print('e', file=sys.stderr); sys.exit(7)"
    )
    answers = list(
        host.RunPlugin(
            rpc.RunPluginRequest(pwd=str(tmp_path), args=["x"], env=["A=b"], info=info(tmp_path)), timeout=10
        )
    )
    assert b"".join(answer.stdout for answer in answers) == b"['x'] b\n"
    assert b"".join(answer.stderr for answer in answers) == b"e\n"
    assert answers[-1].exitcode == 7


def test_new_projects_are_asked_for_toolchain_and_virtualenv(host: Host, tmp_path: Path) -> None:
    def asked(options: dict[str, object]) -> list[tuple[str, list[str]]]:
        program = rpc.ProgramInfo(root_directory=str(tmp_path), options=marshal(options))
        answer = host.RuntimeOptionsPrompts(rpc.RuntimeOptionsRequest(info=program), timeout=5)
        return [(prompt.key, [choice.stringValue for choice in prompt.choices]) for prompt in answer.prompts]

    assert asked({}) == [("toolchain", ["pip", "uv"])]
    assert asked({"toolchain": "pip"}) == [("virtualenv", ["venv"])]
    assert asked({"toolchain": "uv"}) == []


def test_what_only_the_official_host_does_says_so(host: Host) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        host.GenerateProgram(rpc.GenerateProgramRequest(), timeout=5)
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "--generate-code=false" in str(failed.value.details())


def test_programs_run_beside_each_other(host: Host, tmp_path: Path) -> None:
    """One preview may need two programs at once, for instance a stack and a component in Python."""
    waiting = host.Run.future(request(tmp_path, "wait"))
    wait_for(tmp_path / "waiting")
    done = threading.Event()
    host.Run.future(request(tmp_path, "0")).add_done_callback(lambda _: done.set())
    assert done.wait(5)
    waiting.cancel()  # type: ignore[no-untyped-call]
