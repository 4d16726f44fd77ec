"""The command line: what it refuses, in one line, and that its names are those of the platform."""

from pathlib import Path

import pytest

from components.credentials.args import EPOCH_ANNOTATION, KINDS, SECRET_NAMES
from components.postgres.names import AGENT_PORT as POSTGRES_AGENT
from components.redis.image.settings import AGENT_PORT as REDIS_AGENT
from tests.rotation.fake import Api, pod
from toolchain.kit.paths import ROOT
from trading.cli import main
from trading.rotation import cluster, kinds
from trading.rotation.cluster import Cluster
from trading.rotation.command import verify_kubernetes
from trading.rotation.errors import RotationError
from trading.rotation.reports import SECRET, behind, pods_of


def refused(monkeypatch: pytest.MonkeyPatch, folder: Path, *args: str) -> str:
    """What `trading rotate` says when it does not end well, on a machine without kubectl."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit) as ended:
        main(["rotate", *args])
    return str(ended.value.code)


def test_the_kinds_and_names_are_those_of_the_component() -> None:
    assert tuple(sorted(KINDS)) == kinds.KINDS
    assert {kind: f"{SECRET}{kind}" for kind in KINDS}.items() <= SECRET_NAMES.items()
    assert cluster.EPOCH == EPOCH_ANNOTATION


def test_nodes_are_asked_where_their_agents_listen() -> None:
    listed = {"items": [pod("p", "postgres", "postgres"), pod("r", "redis", "server"), pod("t", "trading", "api")]}
    urls = [one.url for one in pods_of(listed)]
    assert urls[0] == f"http://10.0.0.1:{POSTGRES_AGENT}/credentials"
    assert urls[1] == f"http://10.0.0.1:{REDIS_AGENT}/state"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("mysql",), "error: what = 'mysql': nothing of that name rotates; give one of database, redis"),
        (("database", "--stack", "moon"), "stack = 'moon': there is no Pulumi.moon.yaml here; give one of local"),
        (("database",), "error: kubectl: the command is not there; install it"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    args: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (ROOT / "Pulumi.local.yaml").read_text()
    told = refused(monkeypatch, ROOT, *args)
    assert said in told
    assert "\n" not in told
    assert (ROOT / "Pulumi.local.yaml").read_text() == before


def test_another_folder_than_the_projects_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "run this in the folder of the project" in refused(monkeypatch, tmp_path, "database")


def test_jobs_drills_and_pods_that_end_are_not_waited_for() -> None:
    ending, drill, job = (pod(name, "trading", "api") for name in ("ending", "drill", "job"))
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    del drill["metadata"]["ownerReferences"]
    job["metadata"]["ownerReferences"] = [{"kind": "Job", "controller": True}]
    assert pods_of({"items": [ending, drill, job]}) == []


def test_a_sentinel_that_logs_in_with_another_password_has_not_moved() -> None:
    api = Api()
    api("exec", "redis-sentinel-0")
    [sentinel] = pods_of({"items": [pod("redis-sentinel-0", "redis", "sentinel")]})
    answers = {"redis-sentinel-0": {"redis-app": 2, "redis-admin": 2}}
    assert behind([sentinel], answers, {"redis-sentinel": 2, "redis-app": 2}) == [
        "redis-sentinel-0: redis-sentinel: no answer"
    ]


def test_kubernetes_own_tokens_are_verified() -> None:
    assert "nothing to rotate" in verify_kubernetes(Cluster(Api()))
    with pytest.raises(RotationError, match="secret/old: a token without an end; delete it"):
        verify_kubernetes(Cluster(Api(tokens=["secret/old"])))
