"""From the previous release to this one, on a cluster and under load: nothing stateful is replaced, no write is lost.

The tests of this file run in order on one platform, which the previous release's program brings up.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills import ledger
from tests.cluster import previous
from tests.cluster.platform import NAMESPACE, STACK, Platform, count_acked, eventually
from tests.cluster.stores import (
    postgres_ledger,
    postgres_members_ready,
    query,
    redis_ledger,
    writing_to_postgres,
    writing_to_redis,
)
from tests.fix_cluster import Cluster
from tests.fix_numbers import Measured
from toolchain.kit.paths import ROOT
from toolchain.report import files

pytestmark = pytest.mark.cluster

REDIS_GAP_BUDGET_S = 30
POSTGRES_GAP_BUDGET_S = 60


@pytest.fixture(scope="module")
def platform(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The previous release's platform, by its program and images; destroyed at the end even when a test failed."""
    tree = previous.check_out(tmp_path_factory.mktemp("previous"))
    images = [*previous.build_images(tree), *previous.build_images(ROOT)]
    loaded = cluster.toolchain("toolchain.cluster", "load", *images)
    assert loaded.returncode == 0, loaded.stderr
    here = Platform(cluster, api="")
    done = up(cluster, tree)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield here
    finally:
        here.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)


def up(cluster: Cluster, tree: Path) -> subprocess.CompletedProcess[str]:
    """`pulumi up` of stack local with the program of a checkout."""
    select = ["pulumi", "stack", "select", STACK, "--create", "--non-interactive"]
    subprocess.run(select, cwd=tree, env=dict(cluster.env), check=True, capture_output=True)
    argv = ["pulumi", "up", "--yes", "--skip-preview", "--stack", STACK, "--non-interactive", "--color", "never"]
    return subprocess.run(
        argv, cwd=tree, env=dict(cluster.env), capture_output=True, text=True, timeout=900, check=False
    )


def test_preview_replaces_nothing_stateful(platform: Platform, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = platform.cluster.toolchain("toolchain.report", "preview", "--stack", STACK, "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    found = files.read(report)
    assert found.source == "preview"
    assert found.changes
    assert [change.object for change in found.changes if change.gated] == []


def test_upgrade_under_load_loses_no_write(platform: Platform, tmp_path: Path, measured: Measured) -> None:
    folders = [tmp_path / "postgres", tmp_path / "redis"]
    for folder in folders:
        folder.mkdir()
    with contextlib.ExitStack() as load:
        ledgers = [
            load.enter_context(writing_to_postgres(platform, folders[0])),
            load.enter_context(writing_to_redis(platform, folders[1])),
        ]
        begin = time.monotonic()
        done = up(platform.cluster, ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        measured("upgrade from the previous release", f"{time.monotonic() - begin:.1f} s")
        for acked in ledgers:
            before = count_acked(acked)
            eventually(lambda file=acked, n=before: count_acked(file) >= n + 100, 60, "writes after it")  # type: ignore[misc]
    postgres = ledger.compare(ledger.read(ledgers[0]), postgres_ledger(platform))
    redis = ledger.compare(ledger.read(ledgers[1]), redis_ledger(platform))
    measured("upgrade, PostgreSQL", postgres)
    measured("upgrade, Redis", redis)
    assert (postgres.lost, postgres.duplicated) == (0, 0)
    assert (redis.lost, redis.duplicated) == (0, 0)
    assert postgres.gap_s <= POSTGRES_GAP_BUDGET_S
    assert redis.gap_s <= REDIS_GAP_BUDGET_S


def test_engine_goes_on_with_the_orders_of_the_release_before(platform: Platform) -> None:
    eventually(lambda: postgres_members_ready(platform) == 3, 120, "three ready members")
    count = "select count(*) from order_event where kind = 'FILLED'"
    before = int(query(platform, count)[0][0])
    eventually(lambda: int(query(platform, count)[0][0]) > before, 120, "a fill after the upgrade")


def test_second_preview_has_no_changes(platform: Platform) -> None:
    done = platform.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert platform.objects("pods"), f"namespace {NAMESPACE} has no pod"
