"""One rule a kind, from two states of an object to a class of risk and its reason."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from components.redis.args import RedisArgs
from toolchain.kit.paths import ROOT
from toolchain.report import build, workloads
from toolchain.report.model import Change, Level
from toolchain.report.steps import PASSWORD, Operation, Step

State = dict[str, Any]
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
SERVICE = "kubernetes:core/v1:Service"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def metadata(name: str, app: str = "", component: str = "") -> State:
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/component": component}
    return {"name": name, "namespace": "trading", "labels": {key: value for key, value in labels.items() if value}}


def workload(name: str, app: str = "", component: str = "", **spec: object) -> State:
    container = {"name": "main", "image": "r/main:1", "env": [{"name": "LEVEL", "value": "INFO"}]}
    template = {"metadata": {"labels": {}}, "spec": {"containers": [container]}}
    return {"metadata": metadata(name, app, component), "spec": {"replicas": 2, "template": template, **spec}}


def put(state: State, path: str, value: object) -> State:
    """A copy with a value at a path of dots; None takes it away."""
    changed = copy.deepcopy(state)
    *parents, last = path.split("/")
    holder: Any = changed
    for key in parents:
        holder = holder[int(key)] if isinstance(holder, list) else holder.setdefault(key, {})
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return changed


def step(type_: str, old: State | None, new: State | None, operation: Operation | None = None) -> Step:
    implied: Operation = "create" if old is None else "delete" if new is None else "update"
    return Step(operation=operation or implied, type=type_, logical="logical", old=old, new=new)


def only(*steps: Step) -> Change:
    """The change that the first of the steps makes."""
    return next(change for change in build.changes(steps) if change.object == steps[0].object)


IMAGE = "spec/template/spec/containers/0/image"
UPDATES: dict[str, tuple[str, State, Callable[[State], State], Level, str]] = {
    "image of a deployment": (
        DEPLOYMENT, workload("api", strategy=ROLLING), lambda s: put(s, IMAGE, "r/main:2"),
        Level.ROLLING_RESTART, "image changes: pods are replaced",
    ),
    "image of a deployment that recreates": (
        DEPLOYMENT, workload("feed", strategy={"type": "Recreate"}), lambda s: put(s, IMAGE, "r/main:2"),
        Level.DOWNTIME, "strategy Recreate",
    ),
    "the only pod, without surge": (
        DEPLOYMENT, workload("x", replicas=1, strategy={"rollingUpdate": {"maxSurge": 0}}),
        lambda s: put(s, IMAGE, "r/main:2"), Level.DOWNTIME, "the only pod stops",
    ),
    "labels of a deployment": (
        DEPLOYMENT, workload("api"), lambda s: put(s, "metadata/labels", {"a": "b"}), Level.SAFE, "no pod restarts",
    ),
    "fewer pods": (
        DEPLOYMENT, workload("api"), lambda s: put(s, "spec/replicas", 1), Level.ROLLING_RESTART, "from 2 to 1 pods",
    ),
    "no pods": (
        DEPLOYMENT, workload("api"), lambda s: put(s, "spec/replicas", 0), Level.DOWNTIME, "nothing of it runs",
    ),
    "more pods": (
        DEPLOYMENT, workload("api"), lambda s: put(s, "spec/replicas", 5), Level.SAFE, "from 2 to 5 pods",
    ),
    "more pods with another image": (
        DEPLOYMENT, workload("api"), lambda s: put(put(s, "spec/replicas", 5), IMAGE, "r/main:2"),
        Level.ROLLING_RESTART, "image changes",
    ),
    "pods of postgres": (
        STATEFUL_SET, workload("postgres", "postgres"), lambda s: put(s, IMAGE, "r/main:2"),
        Level.FAILOVER, "the primary hands over",
    ),
    "pods of redis": (
        STATEFUL_SET, workload("redis", "redis", "server"), lambda s: put(s, IMAGE, "r/main:2"),
        Level.FAILOVER, "the master hands over",
    ),
    "sentinels": (
        STATEFUL_SET, workload("redis-sentinel", "redis", "sentinel"), lambda s: put(s, IMAGE, "r/main:2"),
        Level.ROLLING_RESTART, "keep the quorum",
    ),
    "another stateful set": (
        STATEFUL_SET, workload("kafka", "kafka"), lambda s: put(s, IMAGE, "r/main:2"),
        Level.FAILOVER, "whichever leads",
    ),
    "members that leave": (
        STATEFUL_SET, workload("redis", "redis"), lambda s: put(s, "spec/replicas", 1), Level.FAILOVER, "leave",
    ),
    "volumes that go from now on": (
        STATEFUL_SET, workload("redis", "redis"),
        lambda s: put(s, "spec/persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Delete"}),
        Level.DATA_LOSS, "volumes are deleted",
    ),
    "nodes' pods": (
        "kubernetes:apps/v1:DaemonSet", workload("agent"), lambda s: put(s, IMAGE, "r/main:2"),
        Level.ROLLING_RESTART, "node after node",
    ),
    "a suspended job": (
        "kubernetes:batch/v1:CronJob", {"metadata": metadata("backup"), "spec": {"schedule": "0 1 * * *"}},
        lambda s: put(s, "spec/suspend", True), Level.DOWNTIME, "suspended",
    ),
    "selector of a service": (
        SERVICE, {"metadata": metadata("api"), "spec": {"selector": {"a": "b"}}},
        lambda s: put(s, "spec/selector", {"a": "c"}), Level.DOWNTIME, "other pods",
    ),
    "a new port": (
        SERVICE, {"metadata": metadata("api"), "spec": {"ports": [{"name": "a", "port": 1}]}},
        lambda s: put(s, "spec/ports", [{"name": "a", "port": 1}, {"name": "b", "port": 2}]),
        Level.SAFE, "nothing of how",
    ),
    "another port": (
        SERVICE, {"metadata": metadata("api"), "spec": {"ports": [{"name": "a", "port": 1}]}},
        lambda s: put(s, "spec/ports", [{"name": "a", "port": 2}]), Level.DOWNTIME, "a port changes",
    ),
    "a volume that grows": (
        CLAIM, {"metadata": metadata("data"), "spec": {"resources": {"requests": {"storage": "1Gi"}}}},
        lambda s: put(s, "spec/resources/requests/storage", "2000Mi"), Level.SAFE, "grows in place",
    ),
    "a volume that shrinks": (
        CLAIM, {"metadata": metadata("data"), "spec": {"resources": {"requests": {"storage": "1Gi"}}}},
        lambda s: put(s, "spec/resources/requests/storage", "1000Mi"), Level.DATA_LOSS, "cannot shrink",
    ),
    "a right more": (
        ROLE, {"metadata": metadata("r"), "rules": [{"verbs": ["get"]}]},
        lambda s: put(s, "rules/0/verbs", ["get", "list"]), Level.SAFE, "rights are added",
    ),
    "a right less": (
        ROLE, {"metadata": metadata("r"), "rules": [{"verbs": ["get", "list"]}]},
        lambda s: put(s, "rules/0/verbs", ["get"]), Level.DOWNTIME, "a right is taken away",
    ),
    "a right to fewer names": (
        ROLE, {"metadata": metadata("r"), "rules": [{"verbs": ["get"]}]},
        lambda s: put(s, "rules", [{"verbs": ["get"], "resourceNames": ["a"]}]),
        Level.DOWNTIME, "a right is taken away",
    ),
    "a connection less": (
        POLICY, {"metadata": metadata("p"), "spec": {"ingress": [{"from": []}]}},
        lambda s: put(s, "spec/ingress", []), Level.DOWNTIME, "are cut",
    ),
    "a smaller quota": (
        "kubernetes:core/v1:ResourceQuota", {"metadata": metadata("q"), "spec": {"hard": {"pods": "30"}}},
        lambda s: put(s, "spec/hard/pods", "29"), Level.DOWNTIME, "pods is lowered",
    ),
    "a larger quota": (
        "kubernetes:core/v1:ResourceQuota", {"metadata": metadata("q"), "spec": {"hard": {"requests.memory": "1Gi"}}},
        lambda s: put(s, "spec/hard/requests.memory", "1025Mi"), Level.SAFE, "raised only",
    ),
    "another pod security level": (
        "kubernetes:core/v1:Namespace", {"metadata": {"name": "trading", "labels": {}}},
        lambda s: put(s, "metadata/labels", {"pod-security.kubernetes.io/enforce": "restricted"}),
        Level.DOWNTIME, "Pod Security changes",
    ),
    "settings of redis alone": (
        CONFIG_MAP, {"metadata": metadata("redis-config"), "data": {"redis.conf": "a"}},
        lambda s: put(s, "data", {"redis.conf": "b"}), Level.SAFE, "no workload of the stack reads it",
    ),
    "state of Patroni": (
        CONFIG_MAP, {"metadata": metadata("postgres-leader"), "data": {"a": "a"}},
        lambda s: put(s, "data", {"a": "b"}), Level.DOWNTIME, "Patroni keeps its state",
    ),
    "login of the registry": (
        SECRET, {"metadata": metadata("registry"), "data": {".dockerconfigjson": "old"}},
        lambda s: put(s, "data", {".dockerconfigjson": "new"}), Level.SAFE, "pulls an image",
    ),
    "a kind that nobody knows": (
        "kubernetes:example.com/v1:Widget", {"metadata": metadata("w"), "spec": {"size": 1}},
        lambda s: put(s, "spec/size", 2), Level.DOWNTIME, "no rule for this kind",
    ),
    "a kind whose name is that of a known one": (
        "kubernetes:serving.knative.dev/v1:Service", {"metadata": metadata("w")},
        lambda s: put(s, "metadata/labels", {"a": "b"}), Level.DOWNTIME, "no rule for this kind",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UPDATES)
def test_an_update(name: str) -> None:
    type_, old, change, level, reason = UPDATES[name]
    found = only(step(type_, old, change(old)))
    assert found.level == level, found.reason
    assert reason in found.reason
    assert found.gated == (level == Level.DATA_LOSS)


@pytest.mark.parametrize(
    ("type_", "name", "level", "gated"),
    [
        (STATEFUL_SET, "postgres", Level.DATA_LOSS, True),
        (CLAIM, "data-postgres-0", Level.DATA_LOSS, True),
        ("kubernetes:core/v1:PersistentVolume", "pv", Level.DATA_LOSS, True),
        ("kubernetes:core/v1:Namespace", "trading", Level.DATA_LOSS, True),
        (SECRET, "credentials-postgres-app", Level.DATA_LOSS, True),
        (SECRET, "anything-else", Level.DATA_LOSS, True),
        (SECRET, "registry", Level.DOWNTIME, False),
        (CONFIG_MAP, "postgres-config", Level.DATA_LOSS, True),
        (CONFIG_MAP, "unread", Level.SAFE, False),
        (DEPLOYMENT, "api", Level.DOWNTIME, False),
        (SERVICE, "redis-0", Level.DOWNTIME, False),
        (ROLE, "postgres", Level.DOWNTIME, False),
        ("kubernetes:policy/v1:PodDisruptionBudget", "postgres", Level.DOWNTIME, False),
        ("kubernetes:example.com/v1:Widget", "w", Level.DATA_LOSS, True),
    ],
)
@pytest.mark.parametrize("operation", ["replace", "delete"])
def test_what_goes(type_: str, name: str, level: Level, gated: bool, operation: Operation) -> None:
    state: State = {"metadata": metadata(name), "spec": {}}
    found = only(step(type_, state, state if operation == "replace" else None, operation))
    assert (found.level, found.gated) == (level, gated), found.reason
    assert found.reason


def test_a_replacement_is_named_by_what_goes() -> None:
    old, new = {"metadata": metadata("old")}, {"metadata": metadata("new")}
    assert only(step(SERVICE, old, new, "replace")).object == "Service/old"


def test_volumes_of_a_stateful_set_follow_its_retention_and_its_namespace() -> None:
    kept = workload("postgres", "postgres")
    deleted = put(kept, "spec/persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Delete"})
    namespace = {"metadata": {"name": "trading"}}
    gone = step("kubernetes:core/v1:Namespace", namespace, None)
    assert "stay as they are" in only(step(STATEFUL_SET, kept, None)).reason
    assert "deleted with it" in only(step(STATEFUL_SET, deleted, None)).reason
    assert "go with the namespace" in only(step(STATEFUL_SET, kept, None), gone).reason


def test_a_new_policy_matters_only_where_pods_may_run_already() -> None:
    policy = step(POLICY, None, {"metadata": metadata("deny-all")})
    namespace = step("kubernetes:core/v1:Namespace", None, {"metadata": {"name": "trading"}})
    assert only(policy, namespace).level == Level.SAFE
    assert only(policy).level == Level.DOWNTIME


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        ({"volumes": [{"name": "v", "configMap": {"name": "settings"}}]}, "mounted by Deployment/api"),
        ({"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}]}, "mounted by"),
        ({"containers": [{"envFrom": [{"configMapRef": {"name": "settings"}}]}]}, "until those pods restart"),
        ({"containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "settings"}}}]}]}, "until those pods"),
        (
            {
                "volumes": [{"name": "v", "configMap": {"name": "settings"}}],
                "containers": [{"volumeMounts": [{"name": "v", "subPath": "a"}]}],
            },
            "until those pods restart",
        ),
    ],
)
def test_settings_say_who_reads_them_and_whether_they_follow(read: State, reason: str) -> None:
    old = {"metadata": metadata("settings"), "data": {"a": "1"}}
    pods = {"metadata": metadata("api"), "spec": {"template": {"spec": read}}}
    reader = Step(operation="same", type=DEPLOYMENT, logical="api", old=pods, new=pods)
    assert reason in only(step(CONFIG_MAP, old, put(old, "data/a", "2")), reader).reason


def settings(**parameters: object) -> State:
    dynamic = json.dumps({"ttl": 20, "postgresql": {"parameters": parameters}})
    return {"metadata": metadata("postgres-settings"), "data": {"dynamic.json": dynamic}}


def test_settings_of_patroni_that_reload_and_those_that_restart() -> None:
    old = settings(max_connections=100, max_wal_size="1GB")
    reloaded = only(step(CONFIG_MAP, old, settings(max_connections=100, max_wal_size="2GB")))
    restarted = only(step(CONFIG_MAP, old, settings(max_connections=200, max_wal_size="1GB")))
    assert (reloaded.level, restarted.level) == (Level.SAFE, Level.FAILOVER)
    assert "max_wal_size" in reloaded.reason
    assert "max_connections needs a restart" in restarted.reason


def slots(before: tuple[int, int], after: tuple[int, int], kind: str = "postgres-app") -> list[Step]:
    """Both passwords of a kind, the one that changes first."""
    made = []
    for slot, old, new in zip("ab", before, after, strict=True):
        states = [{"length": 32, "keepers": {"epoch": str(epoch)}} for epoch in (old, new)]
        operation: Operation = "same" if old == new else "replace"
        name = f"credentials-{kind}-{slot}"
        made.append(Step(operation=operation, type=PASSWORD, logical=name, old=states[0], new=states[1]))
    return sorted(made, key=lambda s: s.operation == "same")


@pytest.mark.parametrize(
    ("before", "after", "level", "gated", "reason"),
    [
        ((0, 1), (2, 1), Level.SAFE, False, "rotation of postgres-app to epoch 2: the older slot a"),
        ((2, 1), (2, 3), Level.SAFE, False, "rotation of postgres-app to epoch 3: the older slot b"),
        ((2, 1), (0, 1), Level.DOWNTIME, False, "goes back to epoch 1"),
        ((0, 1), (2, 3), Level.DOWNTIME, True, "both passwords"),
        ((0, 1), (4, 1), Level.DOWNTIME, True, "not one step"),
        ((2, 1), (4, 1), Level.DOWNTIME, True, "not one step"),
    ],
)
def test_a_rotation_renews_exactly_the_older_slot(
    before: tuple[int, int], after: tuple[int, int], level: Level, gated: bool, reason: str
) -> None:
    found = only(*slots(before, after))
    assert (found.level, found.gated) == (level, gated)
    assert reason in found.reason


def test_a_password_that_changes_for_another_reason_is_no_rotation() -> None:
    first, second = slots((0, 1), (2, 1))
    shorter = Step(**{**first.__dict__, "new": {**(first.new or {}), "length": 8}})
    found = only(shorter, second)
    assert found.gated
    assert "length changes" in found.reason


def test_a_password_of_nobody_is_gated() -> None:
    found = only(step(PASSWORD, {"length": 8}, {"length": 9}, "replace"))
    assert found.gated


def test_the_rules_know_redis_by_its_default_name() -> None:
    assert RedisArgs.instance == workloads.REDIS


def test_the_rules_do_not_bring_the_sdk_with_them() -> None:
    """Its import takes longer than all else of a report."""
    program = "import sys, toolchain.report.__main__; sys.exit('pulumi_kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_another_cluster_is_everything_anew() -> None:
    provider = step("pulumi:providers:kubernetes", {"context": "a"}, {"context": "b"}, "replace")
    assert only(provider).level == Level.DATA_LOSS
    assert only(provider).gated
    update = only(step("pulumi:providers:kubernetes", {"context": "a"}, {"context": "b"}))
    assert "names the same cluster" in update.reason
