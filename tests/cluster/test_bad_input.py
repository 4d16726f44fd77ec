"""Bad input through the real CLI: one line with field, value, rule and way out; non-zero exit; nothing changed."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_cluster import Cluster
from toolchain.kit.paths import ROOT
from toolchain.platform.shape import scratch_project

pytestmark = pytest.mark.cluster

PREFIX = "trading-platform:"
Change = Callable[[dict[str, Any]], object]


def section(name: str, **values: object) -> Change:
    """A change of one object of the configuration."""
    return lambda config: config.setdefault(PREFIX + name, {}).update(values)


CASES: dict[str, tuple[Change, str]] = {
    "unknown key": (lambda c: c.update({PREFIX + "namespce": "x"}), r"namespce\b.*namespace"),
    "unknown key in a section": (section("redis", sentinel=3), r"redis\.sentinel\b.*sentinels"),
    "unit in a number": (section("postgres", storage_gib="10Gi"), r"postgres\.storage_gib = '10Gi': .*(integer|whole)"),
    "even number of Sentinels": (section("redis", sentinels=4), r"redis\.sentinels = 4: .*odd"),
    "ttl below its sum": (section("postgres", ttl_s=20, retry_timeout_s=10), r"postgres\.ttl_s = 20: "),
    "volume below the WAL cap": (section("postgres", storage_gib=1), r"postgres\.storage_gib = "),
}  # fmt: skip


def attempt(cluster: Cluster, folder: Path, change: Change, stack: str = "local") -> subprocess.CompletedProcess[str]:
    """Try to bring up a stack with a changed configuration, on an empty state of its own."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    change(config)
    env = dict(cluster.env) | scratch_project(folder, stack, config)
    pulumi(folder, env, "stack", "init", stack)
    done = pulumi(folder, env, "up", "--yes", "--skip-preview", "--stack", stack)
    if done.returncode == 0:
        pulumi(folder, env, "destroy", "--yes", "--skip-preview", "--stack", stack)
    assert done.returncode != 0, done.stdout
    exported = pulumi(folder, env, "stack", "export", "--stack", stack)
    kinds = [r["type"] for r in json.loads(exported.stdout)["deployment"].get("resources", [])]
    assert not [kind for kind in kinds if kind.startswith(("kubernetes:", "random:"))], "something was created"
    return done


def pulumi(folder: Path, env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI in a project's folder without questions."""
    argv = ["pulumi", *args, "--non-interactive", "--color", "never"]
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def the_line(done: subprocess.CompletedProcess[str], pattern: str) -> str:
    """The one line of the output that tells what is wrong; there is no traceback around it."""
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text
    lines = [line for line in text.splitlines() if re.search(pattern, line)]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize("name", CASES)
def test_a_configuration_that_breaks_a_rule(name: str, cluster: Cluster, tmp_path: Path) -> None:
    change, pattern = CASES[name]
    assert "; " in the_line(attempt(cluster, tmp_path, change), pattern), "no way out"


def test_all_problems_are_told_at_once(cluster: Cluster, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        for name in ("even number of Sentinels", "unknown key", "ttl below its sum"):
            CASES[name][0](config)

    done = attempt(cluster, tmp_path, change)
    for name in ("even number of Sentinels", "unknown key", "ttl below its sum"):
        the_line(done, CASES[name][1])


def with_kubeconfig(cluster: Cluster, folder: Path, change: Change) -> Cluster:
    """The cluster, reached by a changed copy of its kubeconfig."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    change(config)
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return replace(cluster, kubeconfig=path, env=dict(cluster.env) | {"KUBECONFIG": str(path)})


def nothing(_config: dict[str, Any]) -> None:
    """No change."""


def test_a_cluster_that_is_not_reached(cluster: Cluster, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"

    done = attempt(with_kubeconfig(cluster, tmp_path, change), tmp_path, nothing)
    assert re.search(r"https://127\.0\.0\.1:9\b", done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr


def test_credentials_that_the_cluster_refuses(cluster: Cluster, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["users"][0]["user"] = {"token": "expired"}

    done = attempt(with_kubeconfig(cluster, tmp_path, change), tmp_path, nothing)
    assert re.search(r"(?i)unauthorized|refused the credentials|401", done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_wrong_passphrase(cluster: Cluster, tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    env = dict(cluster.env) | scratch_project(tmp_path, "local", config)
    pulumi(tmp_path, env, "stack", "init", "local")
    (tmp_path / "wrong").write_text("wrong")
    env["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(tmp_path / "wrong")
    done = pulumi(tmp_path, env, "preview", "--stack", "local")
    assert done.returncode != 0
    assert "incorrect passphrase" in done.stdout + done.stderr


def test_unset_secrets_of_prod_are_named_together(cluster: Cluster, tmp_path: Path) -> None:
    done = attempt(cluster, tmp_path, nothing, "prod")
    for key in ("registryUsername", "registryPassword"):
        the_line(done, f"pulumi config set --secret {key} --stack prod")
