"""The command line where there is no cluster: manifests, one comment for several stacks, and what is refused."""

import sys
from pathlib import Path

import pytest

from toolchain.kit.console import ToolError
from toolchain.report import __main__ as command
from toolchain.report import commands


@pytest.fixture(autouse=True)
def without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's cluster nor one of this checkout."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(commands, "LOCAL", tmp_path / "local")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """One command; its exit code."""
    monkeypatch.setattr(sys, "argv", ["toolchain.report", *arguments])
    return command.main()


def test_manifests_are_compared_and_joined_to_one_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    markdown, report, joined = (tmp_path / name for name in ("prod.md", "prod.json", "joined.md"))
    flags = ("--base", "HEAD", "--no-policies", "--markdown", str(markdown), "--json", str(report))
    code = run(monkeypatch, "preview", "--stack", "prod", *flags)
    out, err = capsys.readouterr()
    assert code in (0, 3), out + err
    assert "manifests of commit" in out
    assert "comparing manifests" in err
    assert markdown.read_text().count("Preview of `prod`") == 1
    assert run(monkeypatch, "join", str(report), str(report), "--markdown", str(joined)) == 0
    assert joined.read_text().count("Preview of `prod`") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("preview", "--stack", "qa"), "stack = 'qa': there is no Pulumi.qa.yaml; use one of local, prod, staging"),
        (("drift", "--stack", "qa"), "stack = 'qa': there is no Pulumi.qa.yaml"),
        (("preview", "--stack", "prod", "--base", "nope"), "--base = 'nope': git knows no such revision; fetch it"),
        (("preview", "--policy-pack", "/nowhere"), "--policy-pack = '/nowhere': there is no PulumiPolicy.yaml; name"),
        (("preview", "--config-file", "x"), "--config-file: manifests are those of the committed configuration; leave"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    out, err = capsys.readouterr()
    assert [line for line in err.splitlines() if line.startswith(f"error: {message}")], err
    assert out == ""


def test_a_wrong_waiver_stops_the_command_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "waivers.yaml").write_text("waivers: [{stack: prod}]")
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    assert run(monkeypatch, "preview", "--stack", "prod") == 2
    out, err = capsys.readouterr()
    assert "waivers.0.reason" in err
    assert out == ""


def test_drift_needs_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="no cluster: run `make up` first, or set KUBECONFIG"):
        run(monkeypatch, "drift")


def test_help_tells_the_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "preview", "--help")
    assert "3  a stateful object would be replaced or deleted" in capsys.readouterr().out


def test_join_refuses_what_is_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    for path, why in ((other, "no report (3 problems); give"), (tmp_path / "absent.json", "No such file")):
        assert run(monkeypatch, "join", str(path), "--markdown", str(tmp_path / "out")) == 2
        assert f"error: {path}: {why}" in capsys.readouterr().err


def test_without_the_projects_own_pack_there_is_no_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "POLICIES", tmp_path)
    with pytest.raises(commands.UsageError, match=r"no PulumiPolicy\.yaml.*--no-policies"):
        commands.Options().pack()
    assert commands.Options(policies=False).pack() is None
