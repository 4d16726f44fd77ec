"""Preview and drift as CI runs them: a real engine and API server, a state and a namespace of their own.

Only the objects that need no pods are brought up, so that this takes a minute.
"""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_cluster import Cluster
from toolchain.kit.paths import ROOT

pytestmark = pytest.mark.cluster

STACK = "local"
NAMESPACE = "preview-test"
PREFIX = "trading-platform:"
TARGETS = (
    *("**providers**", "**trading:network**", "**trading:credentials:Credentials**"),
    "**trading:credentials:BackupSecrets**",
    *("**Postgres::postgres", "**ConfigMap::postgres-settings"),
)
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def no_quota(args, report):
    if args.resource_type == "kubernetes:core/v1:ResourceQuota":
        report("quotas are not wanted here")

def unknown(args, report):
    if args.resource_type == "kubernetes:core/v1:Secret" and args.name.startswith("credentials-"):
        args.props["data"]["a"] + "x"

PolicyPack("test", [
    ResourceValidationPolicy("no-quota", "No quota.", no_quota, EnforcementLevel.MANDATORY),
    ResourceValidationPolicy("reads-passwords", "Reads passwords.", unknown, EnforcementLevel.MANDATORY),
])
"""
Config = dict[str, Any]


@dataclass(frozen=True)
class Here:
    """A part of stack local, on a state of its own."""

    cluster: Cluster
    folder: Path

    def pulumi(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """The CLI in the project's folder."""
        argv = ["pulumi", *args, "--stack", STACK, "--non-interactive", "--color", "never"]
        return subprocess.run(argv, cwd=ROOT, env=dict(self.cluster.env), capture_output=True, text=True, check=False)

    def config(self, change: Callable[[Config], object]) -> Path:
        """The stack's configuration with a change."""
        config = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())
        config["config"][PREFIX + "namespace"] = NAMESPACE
        change(config["config"])
        path = self.folder / f"Pulumi.{STACK}.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def report(self, command: str, *flags: str, code: int) -> Any:  # noqa: ANN401  JSON
        """Run a command, which must end with the exit code; returns its JSON, after a look for leaked passwords."""
        files = self.folder / "report.json", self.folder / "report.md"
        argv = (command, "--stack", STACK, "--json", str(files[0]), "--markdown", str(files[1]), *flags)
        done = self.cluster.toolchain("toolchain.report", *argv)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        shown = done.stdout + done.stderr + files[0].read_text() + files[1].read_text()
        assert not [secret for secret in self.passwords() if secret in shown]
        return json.loads(files[0].read_text())

    def preview(self, change: Callable[[Config], object], *flags: str, code: int) -> Any:  # noqa: ANN401
        """A preview with a changed configuration; the policies of the project are those of another test."""
        chosen = flags if "--policy-pack" in flags else ("--no-policies", *flags)
        return self.report("preview", "--config-file", str(self.config(change)), *chosen, code=code)

    def passwords(self) -> set[str]:
        """Every password in the namespace, plain and as base64."""
        listed = json.loads(self.cluster.kubectl("-n", NAMESPACE, "get", "secrets", "-o", "json"))["items"]
        values = {value for secret in listed for key, value in secret["data"].items() if key in ("a", "b")}
        return values | {base64.b64decode(value).decode() for value in values}


@pytest.fixture(scope="module")
def here(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """The objects that need no pods, up; gone at the end."""
    folder = tmp_path_factory.mktemp("preview")
    (folder / "state").mkdir()
    own = replace(cluster, env=dict(cluster.env) | {"PULUMI_BACKEND_URL": f"file://{folder / 'state'}"})
    made = Here(own, folder)
    env = dict(own.env)
    subprocess.run(["pulumi", "stack", "init", STACK, "--non-interactive"], cwd=ROOT, env=env, check=True)
    targets = [flag for target in TARGETS for flag in ("--target", target)]
    config = str(made.config(lambda _: None))
    done = made.pulumi("up", "--yes", "--skip-preview", "--config-file", config, *targets)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        made.pulumi("destroy", "--yes", "--skip-preview", "--config-file", config)
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def by_object(report: Any) -> dict[str, tuple[str, int]]:  # noqa: ANN401
    """Object to (operation, level), new ones left out."""
    changes = report["changes"]
    return {c["object"]: (c["operation"], c["level"]) for c in changes if c["operation"] != "create"}


def bump(kind: str, by: int) -> Callable[[Config], object]:
    return lambda config: config[PREFIX + "credentials"].update({kind: 1 + by})


def pack(here: Here, text: str) -> Path:
    """A policy pack with that program."""
    folder = here.folder / "pack"
    folder.mkdir(exist_ok=True)
    runtime = {"name": "python", "options": {"virtualenv": str(ROOT / ".venv")}}
    (folder / "PulumiPolicy.yaml").write_text(yaml.safe_dump({"runtime": runtime, "description": "test"}))
    (folder / "__main__.py").write_text(text)
    return folder


def test_risks_and_policies_of_a_change(here: Here) -> None:
    def change(config: Config) -> None:
        bump("postgres-app", 1)(config)
        config[PREFIX + "postgres"]["max_connections"] = 60

    report = here.preview(change, "--policy-pack", str(pack(here, PACK)), code=4)
    assert by_object(report) == {
        "RandomPassword/credentials-postgres-app-a": ("replace", 0),
        "Secret/credentials-postgres-app": ("update", 0),
        "ConfigMap/postgres-settings": ("update", 2),
    }
    assert [finding["policy"] for finding in report["findings"]] == ["no-quota"]
    assert [finding["policy"] for finding in report["unrun"]] == ["reads-passwords"], "a password is known after up"


def test_a_pack_that_does_not_load_fails(here: Here) -> None:
    broken = pack(here, "import nothing_of_that_name")
    [failure] = here.preview(lambda _: None, "--policy-pack", str(broken), code=1)["failures"]
    assert "does not load: ModuleNotFoundError: No module named 'nothing_of_that_name'" in failure[0]


def test_two_steps_of_an_epoch_need_a_waiver(here: Here) -> None:
    report = here.preview(bump("api", 2), code=3)
    gated = [change["object"] for change in report["changes"] if change["gated"]]
    assert gated == ["RandomPassword/credentials-api-a", "RandomPassword/credentials-api-b"]


def test_a_protected_object_is_named_with_the_way_out(here: Here) -> None:
    resources = json.loads(here.pulumi("stack", "export").stdout)["deployment"]["resources"]
    urn = next(r["urn"] for r in resources if r["urn"].endswith("RandomPassword::credentials-api-a"))

    def change(config: Config) -> None:
        bump("api", 1)(config)
        config[PREFIX + "protect"] = True

    assert here.pulumi("state", "protect", urn, "--yes").returncode == 0
    try:
        [failure] = here.preview(change, code=1)["failures"]
    finally:
        here.pulumi("state", "unprotect", urn, "--yes")
    assert failure[0] == "RandomPassword credentials-api-a is protected, and this change would delete or replace it"
    assert f"pulumi state unprotect '{urn}'" in failure[1]


def test_a_cluster_that_is_not_reached_fails_at_once(here: Here) -> None:
    config = yaml.safe_load(here.cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    path = here.folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    lost = replace(here.cluster, env=dict(here.cluster.env) | {"KUBECONFIG": str(path)})
    for command in ("preview", "drift"):
        done = lost.toolchain("toolchain.report", command, "--stack", STACK)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "the Kubernetes API is not reached: " in done.stdout
        assert "127.0.0.1:9" in done.stdout


def test_drift_is_what_was_changed_by_hand_and_nothing_else(here: Here) -> None:
    assert here.report("drift", code=0)["changes"] == []

    def kubectl(*args: str) -> None:
        here.cluster.kubectl("-n", NAMESPACE, *args)

    kubectl("patch", "resourcequota", "quota", "--type=merge", "-p", '{"spec":{"hard":{"pods":"29"}}}')
    kubectl("patch", "configmap", "postgres-settings", "--type=merge", "-p", '{"data":{"member.json":"{}\\n"}}')
    kubectl("patch", "secret", "credentials-api", "--type=merge", "-p", '{"stringData":{"a":"by hand"}}')
    kubectl("delete", "networkpolicy", "allow-dns")
    kubectl("label", "limitrange", "defaults", "somebody=else")
    report = here.report("drift", code=5)
    fields = {
        c["object"]: [(f["path"], f["old"], f["new"]) for f in c["fields"] if not f["diff"]] for c in report["changes"]
    }
    assert fields == {
        "NetworkPolicy/allow-dns": [],
        "ConfigMap/postgres-settings": [],
        "ResourceQuota/quota": [("spec.hard.pods", "36", "29")],
        "Secret/credentials-api": [("data.a", "[secret]", "[secret]")],
    }
    settings = next(c for c in report["changes"] if c["object"] == "ConfigMap/postgres-settings")
    assert [field["path"] for field in settings["fields"]] == ['data["member.json"]']


def test_a_locked_state_names_who_holds_it(here: Here) -> None:
    lock = here.folder / f"state/.pulumi/locks/organization/trading-platform/{STACK}/lock.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    who = {"pid": os.getpid(), "username": "asha", "hostname": "ci-7", "timestamp": "2026-01-02T03:04:05Z"}
    lock.write_text(json.dumps(who))
    try:
        [failure] = here.report("drift", code=1)["failures"]
    finally:
        lock.unlink()
    since = "since 2026-01-02T03:04:05Z"
    assert failure[0] == f"stack {STACK} is locked by asha@ci-7 (process {os.getpid()}) {since}"
    assert failure[1].endswith(f"pulumi cancel --stack {STACK}")


def test_a_wrong_passphrase_is_one_line(here: Here) -> None:
    wrong = here.folder / "wrong"
    wrong.write_text("wrong")
    other = replace(here.cluster, env=dict(here.cluster.env) | {"PULUMI_CONFIG_PASSPHRASE_FILE": str(wrong)})
    [failure] = replace(here, cluster=other).preview(lambda _: None, code=1)["failures"]
    assert failure[0] == f"the secrets of stack {STACK} cannot be read: the passphrase is missing or wrong"


def test_the_shape_of_prod_is_checked_by_this_cluster(here: Here) -> None:
    out = here.folder / "prod.json"
    done = here.cluster.toolchain("toolchain.report", "preview", "--stack", "prod", "--no-policies", "--json", str(out))
    assert done.returncode in (0, 3), done.stdout + done.stderr
    report = json.loads(out.read_text())
    assert report["failures"] == []
    assert "against those of the working tree" in report["basis"]
