"""The platform end to end: up, no change, trade, lose a primary, lose a master, kill the engine, rotate, destroy.

The tests of this file run in order on one platform, which the first brings up and the last destroys.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from drills import ledger
from tests.cluster.platform import NAMESPACE, STACK, Platform, count_acked, eventually
from tests.cluster.stores import (
    postgres_ledger,
    postgres_members_ready,
    query,
    redis_ledger,
    redis_master,
    writing_to_postgres,
    writing_to_redis,
)
from tests.fix_cluster import Cluster
from tests.fix_numbers import Measured
from toolchain.kit.paths import ROOT
from trading.backtest import jobs
from trading.backtest.data import open_data
from trading.backtest.spec import parse

pytestmark = pytest.mark.cluster

POSTGRES_RTO_BUDGET_S = 300
REDIS_RTO_BUDGET_S = 30


@pytest.fixture(scope="module")
def platform(cluster: Cluster) -> Iterator[Platform]:
    """`make up`, as a user types it; destroyed at the end even when a test failed."""
    done = cluster.toolchain("toolchain.platform", "up")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "The engine trades on paper" in done.stderr
    endpoints = json.loads((Path(cluster.env["KUBECONFIG"]).parent / "endpoints.json").read_text())
    here = Platform(cluster, endpoints["api"])
    yield here
    here.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)


def test_second_preview_has_no_changes(platform: Platform, measured: Measured) -> None:
    begin = time.monotonic()
    done = platform.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    measured("no-change preview", f"{time.monotonic() - begin:.1f} s")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_pod_runs_and_passes_restricted(platform: Platform) -> None:
    namespace = json.loads(platform.cluster.kubectl("get", "namespace", NAMESPACE, "-o", "json"))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = platform.objects("pods")
    by_name = {p["metadata"]["labels"]["app.kubernetes.io/name"] for p in pods}
    assert {"postgres", "redis", "trading"} <= by_name
    for pod in pods:
        ready = {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"]
        assert ready == "True", pod["metadata"]["name"]
    # the enforcement itself: the same server refuses a pod that is not restricted
    manifest = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "loose", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "c", "image": platform.cluster.image}]},
    }  # fmt: skip
    refused = apply_dry_run(platform, manifest)
    assert 'violates PodSecurity "restricted' in refused


def apply_dry_run(platform: Platform, manifest: dict[str, Any]) -> str:
    """What the API server says to an object, without keeping it."""
    done = subprocess.run(
        ["kubectl", "apply", "--dry-run=server", "-f", "-"], input=json.dumps(manifest),
        env=dict(platform.cluster.env), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_members_stand_on_different_nodes(platform: Platform) -> None:
    for name in ("postgres", "redis", "redis-sentinel"):
        pods = [p for p in platform.objects("pods") if p["metadata"].get("generateName") == f"{name}-"]
        assert len({p["spec"]["nodeName"] for p in pods}) == 3, name


def test_engine_trades(platform: Platform) -> None:
    before = filled(platform)
    eventually(lambda: filled(platform) > before, 60, "one more filled order")
    status, answer = platform.request("GET", "/v1/positions")
    assert status == 200
    assert answer["positions"]


def filled(platform: Platform) -> int:
    """How many orders are filled, by the database."""
    return int(query(platform, "select count(*) from order_event where kind = 'FILLED'")[0][0])


def test_client_order_id_sent_twice_makes_one_order(platform: Platform) -> None:
    symbol = platform.request("GET", "/v1/quotes")[1]["quotes"][0]["symbol"]
    body = {"client_order_id": "e2e-1", "symbol": symbol, "side": "BUY", "type": "MARKET", "quantity": 1}
    first = platform.request("POST", "/v1/orders", body)
    second = platform.request("POST", "/v1/orders", body)
    assert first[0] == 201, first
    assert second[0] == 200, second
    assert first[1]["id"] == second[1]["id"]
    assert query(platform, "select count(*) from orders where client_order_id = 'e2e-1'") == [["1"]]
    assert platform.request("POST", "/v1/orders", body | {"quantity": 2})[0] == 409


def test_api_refuses_without_a_key(platform: Platform) -> None:
    assert httpx.get(f"{platform.api}/v1/orders", timeout=10).status_code == 401
    assert httpx.get(f"{platform.api}/health/ready", timeout=10).status_code == 200


def test_postgres_primary_killed_loses_no_acknowledged_write(
    platform: Platform, tmp_path: Path, measured: Measured
) -> None:
    with writing_to_postgres(platform, tmp_path) as acked:
        primary = platform.pod("app.kubernetes.io/name=postgres,role=primary")
        before = count_acked(acked)
        platform.kubectl("delete", "pod", primary, "--force", "--grace-period=0")
        eventually(lambda: count_acked(acked) >= before + 200, POSTGRES_RTO_BUDGET_S, "writes after the kill")
    report = ledger.compare(ledger.read(acked), postgres_ledger(platform))
    measured("postgres primary killed", report)
    assert report.lost == 0
    assert report.duplicated == 0
    assert report.gap_s <= POSTGRES_RTO_BUDGET_S
    eventually(lambda: postgres_members_ready(platform) == 3, 120, "three ready members again")


def test_redis_master_killed_writes_come_back(platform: Platform, tmp_path: Path, measured: Measured) -> None:
    with writing_to_redis(platform, tmp_path) as acked:
        master = redis_master(platform)
        before = count_acked(acked)
        platform.kubectl("delete", "pod", master, "--force", "--grace-period=0")
        eventually(lambda: count_acked(acked) >= before + 200, 60, "writes after the kill")
    report = ledger.compare(ledger.read(acked), redis_ledger(platform))
    measured("redis master killed", report)
    assert report.gap_s <= REDIS_RTO_BUDGET_S
    assert report.duplicated == 0


def test_the_smoke_tests_pass_and_place_one_order(platform: Platform) -> None:
    done = platform.cluster.toolchain("toolchain.platform", "smoke", "--stack", STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 checks passed" in done.stdout
    assert query(platform, "select count(*) from orders where client_order_id like 'smoke-%'") == [["1"]]


def test_a_sweep_is_shared_among_pods_and_a_killed_one_costs_nothing(platform: Platform, tmp_path: Path) -> None:
    arguments = ["--strategy", "ema", "--vary", "fast=3,4,5,6,7,8", "--vary", "slow=20,30", "--steps", "800"]
    out, log = tmp_path / "result.json", tmp_path / "log"
    argv = [sys.executable, "-m", "toolchain.sweep", "--stack", STACK, "--out", str(out), "--", *arguments]
    with log.open("w") as errors:
        command = subprocess.Popen(argv, cwd=ROOT, env=dict(platform.cluster.env), stderr=errors)
    selector = "app.kubernetes.io/component=sweep"
    [victim, *_] = eventually(lambda: platform.objects("pods", "-l", selector), 60, "a pod of the sweep")
    platform.kubectl("delete", "pod", victim["metadata"]["name"], "--force", "--grace-period=0")
    assert command.wait(timeout=240) == 0, log.read_text()
    spec = parse(
        {"strategies": [{"kind": "ema", "name": "ema"}], "steps": 800, "capital": "5000000", "processes": 1}
        | {"sweep": {"fast": ["3", "4", "5", "6", "7", "8"], "slow": ["20", "30"]}}
    )
    assert json.loads(out.read_text()) == jobs.play(spec, open_data("synthetic", 1, 800))
    eventually(lambda: not platform.objects("jobs", "-l", selector), 60, "the Job is gone")


def test_orders_survive_a_killed_engine(platform: Platform) -> None:
    before = {tuple(row) for row in query(platform, "select id, client_order_id from orders")}
    events = {tuple(row) for row in query(platform, "select order_id, seq, kind from order_event")}
    active = [p["metadata"]["name"] for p in platform.objects("pods", "-l", "app.kubernetes.io/component=engine")]
    platform.kubectl("delete", "pod", *active, "--force", "--grace-period=0")
    count = filled(platform)
    eventually(lambda: filled(platform) > count, 120, "fills after both engines were killed")
    assert before <= {tuple(row) for row in query(platform, "select id, client_order_id from orders")}
    assert events <= {tuple(row) for row in query(platform, "select order_id, seq, kind from order_event")}
    doubled = "select client_order_id from orders group by account, client_order_id having count(*) > 1"
    assert query(platform, doubled) == []


def test_a_dropped_table_and_a_lost_cluster_come_back(platform: Platform, measured: Measured) -> None:
    done = platform.cluster.toolchain("drills.restore", "--stack", STACK, "--gib", "0.02")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    measured("restore", json.loads(done.stdout.splitlines()[-1]))
    again = platform.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    assert again.returncode == 0, again.stdout + again.stderr


def test_epoch_bump_replaces_one_password_and_updates_its_secret(platform: Platform, tmp_path: Path) -> None:
    def bump(config: dict[str, Any]) -> None:
        config["trading-platform:credentials"]["postgres-app"] += 1

    copy = platform.config_copy(tmp_path, bump)
    done = platform.pulumi("preview", "--stack", STACK, "--json", "--config-file", str(copy))
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [(s["op"], s["urn"].split("::")[2].split("$")[-1]) for s in json.loads(done.stdout)["steps"]]
    changed = sorted(s for s in steps if s[0] != "same")
    assert changed == [
        ("replace", "random:index/randomPassword:RandomPassword"),
        ("update", "kubernetes:core/v1:Secret"),
    ]


def test_rotation_of_the_app_role_refuses_nobody(platform: Platform, tmp_path: Path) -> None:
    def bump(config: dict[str, Any]) -> None:
        config["trading-platform:credentials"]["postgres-app"] += 1

    old_slot, old_password = platform.current("postgres-app")
    copy = platform.config_copy(tmp_path, bump)
    done = platform.pulumi("up", "--yes", "--skip-preview", "--stack", STACK, "--config-file", str(copy))
    assert done.returncode == 0, done.stdout + done.stderr
    new_slot, new_password = platform.current("postgres-app")
    assert new_slot != old_slot
    assert new_password != old_password
    eventually(lambda: logs_in(platform, new_slot, new_password), 120, "login with the new slot")
    assert logs_in(platform, old_slot, old_password), "the previous slot must stay valid"
    count = filled(platform)
    eventually(lambda: filled(platform) > count, 60, "fills after the rotation")


def logs_in(platform: Platform, slot: str, password: str) -> bool:
    """Whether a role of the app can log in to the primary over the network, from inside the cluster."""
    hosts = ",".join(f"postgres-{n}.postgres-repl.{NAMESPACE}.svc.cluster.local" for n in range(3))
    dsn = psycopg.conninfo.make_conninfo(
        host=hosts, dbname="trading", user=f"trading_{slot}", sslmode="require",
        connect_timeout=3, target_session_attrs="read-write",
    )  # fmt: skip
    script = "import psycopg, sys; psycopg.connect(sys.argv[1], password=sys.stdin.read()).close()"
    argv = platform.in_cluster(sys.executable, "-c", script, dsn)
    done = subprocess.run(
        argv, input=password, env=dict(platform.cluster.env), capture_output=True, text=True, check=False
    )
    return done.returncode == 0


def test_destroy_leaves_nothing(platform: Platform) -> None:
    done = platform.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    namespaces = platform.cluster.kubectl("get", "namespaces", "-o", "name").split()
    assert f"namespace/{NAMESPACE}" not in namespaces
    eventually(lambda: not platform.cluster.kubectl("get", "pv", "-o", "name").split(), 60, "no volume left")
    state = json.loads(platform.pulumi("stack", "export", "--stack", STACK).stdout)
    assert not state["deployment"].get("resources")
