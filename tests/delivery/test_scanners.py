"""The scanners for real: they pass on what is committed, and find what is planted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from policies.rules import RULES
from toolchain import go
from toolchain.checks import manifests, secrets
from toolchain.checks.scanners import scanner
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT
from toolchain.render.render import files, write

pytestmark = pytest.mark.scanner

POD = """apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: there}
spec:
  containers:
    - {name: c, image: "nginx:latest", securityContext: {privileged: true}}
"""
BAD_WORKFLOW = """on: pull_request_target
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo ${{ github.event.pull_request.title }}
"""


def test_workflows_and_scripts_pass_their_linters() -> None:
    done = subprocess.run(["make", "lint-workflows"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "actionlint, zizmor, shellcheck: nothing found" in done.stdout


@pytest.mark.parametrize("tool", sorted(manifests.TOOLS))
def test_manifests_have_no_finding_without_a_reason_and_no_reason_without_a_finding(tool: str) -> None:
    assert "nothing found" in manifests.check("prod", tool)


@pytest.mark.parametrize(
    ("tool", "rule"), [("checkov", "CKV_K8S_16"), ("kube-score", "container-security-context-privileged")]
)
def test_a_privileged_pod_among_the_manifests_is_found(tool: str, rule: str, tmp_path: Path) -> None:
    services = {name: text for name, text in files("prod").items() if name.startswith("service")}
    write(services, tmp_path, clear=False)
    (tmp_path / "pod-bad.yaml").write_text(POD)
    assert (rule, "Pod/bad") in {(found.rule, found.where) for found in manifests.TOOLS[tool](tmp_path)}


def test_a_dangerous_workflow_is_found(tmp_path: Path) -> None:
    path = tmp_path / "bad.yml"
    path.write_text(BAD_WORKFLOW)
    for argv in ([go.ensure(["actionlint"]) / "actionlint"], [scanner("zizmor"), "--offline"]):
        assert subprocess.run([*argv, path], capture_output=True, check=False).returncode not in (0, 2), argv[0]


def planted_key() -> str:
    """Made here from parts, so that it is not one itself."""
    return "AKIA" + "QYLPMN5HHHFPZAM2"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored/\n")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, "commit", "--quiet", "--message", "t"], cwd=folder, check=True)


def test_a_planted_key_is_found_before_it_is_committed(repository: Path) -> None:
    assert secrets.in_tree(repository) == []
    (repository / "settings.py").write_text(f'AWS_KEY = "{planted_key()}"\n')
    [found] = secrets.in_tree(repository)
    assert (found.rule, found.where, found.text) == ("aws-access-token", "settings.py", "line 1")


def test_a_key_that_was_removed_is_found_in_the_history(repository: Path) -> None:
    (repository / "settings.py").write_text(f'AWS_KEY = "{planted_key()}"\n')
    commit(repository)
    (repository / "settings.py").unlink()
    commit(repository)
    assert secrets.in_tree(repository) == []
    assert [found.where for found in secrets.in_history(repository)] == ["settings.py"]


def test_what_git_ignores_is_not_scanned(repository: Path) -> None:
    (repository / "ignored").mkdir()
    (repository / "ignored" / "state").write_text(f'key = "{planted_key()}"\n')
    assert secrets.in_tree(repository) == []


def test_a_clone_without_history_is_refused(repository: Path, tmp_path: Path) -> None:
    (repository / "more").write_text("x")
    commit(repository)
    subprocess.run(
        ["git", "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow"], cwd=tmp_path, check=True
    )
    with pytest.raises(ToolError, match=r"git fetch --unshallow first \(in a workflow: fetch-depth: 0\)"):
        secrets.in_history(tmp_path / "shallow")


def test_the_command_says_what_it_can_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toolchain.checks", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "gitleaks over the tree and its history" in done.stdout


def test_every_checkov_check_that_a_policy_stands_for_exists() -> None:
    argv = [str(scanner("checkov")), "--list", "--framework", "kubernetes"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"CKV2?_K8S_\d+", listed))
    claimed = {check for rule in RULES.values() for check in rule.covers if check.startswith("CKV")}
    assert claimed
    assert sorted(claimed - known) == []
