"""Bad input through the real CLI: one clear line with field, value, rule and way out; non-zero exit; nothing changed."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fix_cluster import Cluster
from toolchain.kit.paths import ROOT

pytestmark = pytest.mark.cluster

PREFIX = "trading-platform:"
Change = Callable[[dict[str, Any]], object]


def section(name: str, **values: object) -> Change:
    """A change of one object of the configuration."""
    return lambda config: config.setdefault(PREFIX + name, {}).update(values)


CASES = {
    "unknown key": (lambda c: c.update({PREFIX + "namespce": "x"}), r"namespce\b.*namespace"),
    "unknown key in a section": (section("redis", sentinel=3), r"redis\.sentinel\b.*sentinels"),
    "unit in a number": (section("postgres", storage_gib="10Gi"), r"postgres\.storage_gib = '10Gi': .*(integer|whole)"),
    "even number of Sentinels": (section("redis", sentinels=4), r"redis\.sentinels = 4: .*odd"),
    "ttl below its sum": (section("postgres", ttl_s=20, loop_wait_s=10), r"postgres\.ttl_s = 20: .*loop_wait"),
    "volume below the WAL cap": (section("postgres", storage_gib=1), r"postgres\.(storage_gib|max_slot_wal_keep\w*) = "),
}  # fmt: skip


def attempt(cluster: Cluster, tmp_path: Path, change: Change, **env: str) -> subprocess.CompletedProcess[str]:
    """Try to bring up the local stack with a changed configuration, on an empty state of its own."""
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    change(config["config"])
    copy = tmp_path / "Pulumi.local.yaml"
    copy.write_text(yaml.safe_dump(config))
    state = tmp_path / "state"
    state.mkdir()
    here = dict(cluster.env) | {"PULUMI_BACKEND_URL": f"file://{state}"} | env
    pulumi(here, "stack", "init", "local")
    done = pulumi(here, "up", "--yes", "--skip-preview", "--stack", "local", "--config-file", str(copy))
    assert done.returncode != 0, done.stdout
    exported = pulumi(here | {"PULUMI_CONFIG_PASSPHRASE": ""}, "stack", "export", "--stack", "local")
    kinds = [r["type"] for r in json.loads(exported.stdout)["deployment"].get("resources", [])]
    assert not [kind for kind in kinds if kind.startswith(("kubernetes:", "random:"))], "something was created"
    return done


def pulumi(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI without questions."""
    argv = ["pulumi", *args, "--non-interactive", "--color", "never"]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


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


def kubeconfig(cluster: Cluster, tmp_path: Path, change: Change) -> str:
    """A changed copy of the cluster's kubeconfig."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    change(config)
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_a_cluster_that_is_not_reached(cluster: Cluster, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"

    env = {"KUBECONFIG": kubeconfig(cluster, tmp_path, change)}
    done = attempt(cluster, tmp_path, lambda _: None, **env)
    assert re.search(r"https://127\.0\.0\.1:9\b", done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr


def test_credentials_that_the_cluster_refuses(cluster: Cluster, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["users"][0]["user"] = {"token": "expired"}

    env = {"KUBECONFIG": kubeconfig(cluster, tmp_path, change)}
    done = attempt(cluster, tmp_path, lambda _: None, **env)
    assert re.search(r"(?i)unauthorized|refused the credentials|401", done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_wrong_passphrase(cluster: Cluster, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    done = pulumi(
        dict(cluster.env) | {"PULUMI_CONFIG_PASSPHRASE_FILE": str(wrong)}, "preview", "--stack", "local"
    )  # fmt: skip
    assert done.returncode != 0
    assert "incorrect passphrase" in done.stdout + done.stderr


def test_unset_secrets_of_prod_are_named_together(cluster: Cluster, tmp_path: Path) -> None:
    copy = tmp_path / "Pulumi.prod.yaml"
    copy.write_text((ROOT / "Pulumi.prod.yaml").read_text())
    (tmp_path / "state").mkdir()
    env = dict(cluster.env) | {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"}
    pulumi(env, "stack", "init", "prod", "--config-file", str(copy))
    done = pulumi(env, "preview", "--stack", "prod", "--config-file", str(copy))
    assert done.returncode != 0
    text = done.stdout + done.stderr
    for key in ("registryUsername", "registryPassword"):
        assert f"pulumi config set --secret {key} --stack prod" in text
