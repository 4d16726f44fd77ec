"""Which tools, cluster and state the commands choose, from the environment alone."""

import os
from pathlib import Path

import pytest

from toolchain.kit.console import ToolError
from toolchain.kit.paths import LOCAL
from toolchain.platform import stack, tools
from toolchain.platform.engine import describe
from toolchain.platform.phases import Phases


def test_without_kubeconfig_the_local_cluster_is_meant() -> None:
    assert tools.users_kubeconfig({}) is None
    assert tools.users_kubeconfig({"KUBECONFIG": str(LOCAL / "kubeconfig")}) is None


def test_a_users_kubeconfig_wins(tmp_path: Path) -> None:
    theirs = tmp_path / "config"
    theirs.touch()
    assert tools.users_kubeconfig({"KUBECONFIG": str(theirs)}) == str(theirs)


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"KUBECONFIG = .*absent.*is not a file; give an existing one, or unset"):
        tools.users_kubeconfig({"KUBECONFIG": str(tmp_path / "absent")})


def official_pulumi(folder: Path) -> str:
    """A folder for PATH with a pulumi in it."""
    binary = folder / "pulumi"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    return str(folder)


def test_an_official_pulumi_on_path_wins_and_our_own_does_not_count(tmp_path: Path) -> None:
    there = official_pulumi(tmp_path)
    assert tools.users_pulumi({"PATH": there}) == f"{there}/pulumi"
    assert tools.users_pulumi({"PATH": str(tools.OWN_BIN)}) is None


def test_a_pulumi_of_the_build_cache_is_not_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_CACHE", str(tmp_path))
    there = tmp_path / "go" / "bin"
    there.mkdir(parents=True)
    assert tools.users_pulumi({"PATH": official_pulumi(there)}) is None


def test_state_and_passphrase_of_the_local_stack_have_defaults() -> None:
    env = tools.pulumi_env({"PATH": ""}, "local")
    assert env["PULUMI_BACKEND_URL"] == f"file://{LOCAL / 'pulumi-state'}"
    assert Path(env["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text() == "local"
    assert Path(env["PULUMI_CONFIG_PASSPHRASE_FILE"]).stat().st_mode & 0o077 == 0


def test_a_users_backend_and_passphrase_are_kept(tmp_path: Path) -> None:
    users = {"PATH": official_pulumi(tmp_path), "PULUMI_BACKEND_URL": "s3://b", "PULUMI_CONFIG_PASSPHRASE": "x"}
    env = tools.pulumi_env(users, "local")
    assert env["PULUMI_BACKEND_URL"] == "s3://b"
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in env
    assert "PULUMI_BACKEND_URL" not in tools.pulumi_env(users, "staging")


def test_the_env_file_leads_to_the_same_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "LOCAL", tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    env = {"PATH": f"/tools/a b{os.pathsep}/usr/bin", "KUBECONFIG": "/k", "PULUMI_HOME": "/h", "OTHER": "no"}
    tools.write_env(tools.Tools(env=env, own_cluster=False))
    text = (tmp_path / "env").read_text()
    assert text == "export PATH='/tools/a b':$PATH\nexport KUBECONFIG=/k\nexport PULUMI_HOME=/h\n"


def test_an_unknown_stack_is_named_with_those_that_exist() -> None:
    with pytest.raises(ToolError, match=r"stack = 'qa': there is no Pulumi.qa.yaml; use one of local, prod, staging"):
        stack.config_file("qa")


def test_phases_add_up() -> None:
    phases = Phases()
    assert phases.run("first", lambda: 7) == 7
    phases.seconds.update(first=1.5, second=2.25)
    assert phases.table().splitlines()[-1].split() == ["in", "all", "3.8", "s"]


def test_the_closing_lines_say_where_the_api_is() -> None:
    text = describe("http://127.0.0.1:1", [{}, {}], [{}])
    assert "2 filled orders, 1 positions (synthetic bars)" in text
    assert "http://127.0.0.1:1" in text
