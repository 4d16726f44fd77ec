"""When objects count as ready, and what is said while they do not."""

from typing import Any

import pytest

from toolchain.plugins.kubernetes import await_
from toolchain.plugins.kubernetes.await_ import jobs, pods, services, storage, wait_for, workloads
from toolchain.plugins.kubernetes.await_.status import Rule, selector_text
from toolchain.plugins.kubernetes.objects import Object


def pod(*containers: Object, conditions: list[Object] | None = None, phase: str = "Pending") -> Object:
    status = {"phase": phase, "containerStatuses": list(containers), "conditions": conditions or []}
    return {"kind": "Pod", "metadata": {"namespace": "n", "name": "p"}, "status": status}


UNREADY = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
NOT_READY = UNREADY | {"message": "containers with unready status: [c]"}
PULLING = {"name": "c", "ready": False, "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
ENDED = {"name": "c", "ready": False, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}


def deployment(*, wanted: int = 1, observed: int = 2, updated: int = 1, total: int = 1, available: int = 1) -> Object:
    status = {
        "observedGeneration": observed,
        "updatedReplicas": updated,
        "replicas": total,
        "availableReplicas": available,
        "conditions": [
            {
                "type": "Available",
                "status": "True" if available else "False",
                "reason": "MinimumReplicasUnavailable",
                "message": "Deployment does not have minimum availability.",
            }
        ],
    }
    return {"metadata": {"generation": 2}, "spec": {"replicas": wanted}, "status": status}


@pytest.mark.parametrize(
    "unfinished",
    [{"observed": 1}, {"updated": 0}, {"total": 2}, {"available": 0}, {"wanted": 2}],
    ids=["not seen by the controller", "old revision", "old pods left", "not available", "too few"],
)
def test_a_deployment_is_ready_when_it_has_rolled_out(unfinished: Any) -> None:  # noqa: ANN401
    assert workloads.deployment(deployment(), {}).ready
    assert not workloads.deployment(deployment(**unfinished), {}).ready


def test_a_deployment_tells_what_its_pods_wait_for() -> None:
    status = workloads.deployment(deployment(available=0), {"pods": [pod(PULLING, conditions=[NOT_READY])]})
    assert status.problems == (
        "[MinimumReplicasUnavailable] Deployment does not have minimum availability.",
        "Minimum number of live Pods was not attained",
        "[Pod n/p]: containers with unready status: [c][ErrImagePull] no such image",
    )
    assert status.message == (
        "[1/2] Waiting for app ReplicaSet to be available (0/1 Pods available); "
        "[Pod n/p]: containers with unready status: [c][ErrImagePull] no such image"
    )


def stateful_set(*, ready: int = 3, revision: str = "b", updated: int = 3, **strategy: Any) -> Object:  # noqa: ANN401
    return {
        "metadata": {"generation": 1},
        "spec": {"replicas": 3, "updateStrategy": strategy},
        "status": {
            "observedGeneration": 1,
            "replicas": 3,
            "readyReplicas": ready,
            "updatedReplicas": updated,
            "currentRevision": revision,
            "updateRevision": "b",
        },
    }


def test_a_stateful_set_is_ready_when_every_pod_has_the_new_revision() -> None:
    assert workloads.stateful_set(stateful_set(), {}).ready
    assert not workloads.stateful_set(stateful_set(ready=2), {}).ready
    assert not workloads.stateful_set(stateful_set(revision="a"), {}).ready


def test_a_stateful_set_updates_only_as_far_as_its_strategy_says() -> None:
    partition: Any = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    assert workloads.stateful_set(stateful_set(revision="a", updated=1, **partition), {}).ready
    assert not workloads.stateful_set(stateful_set(revision="a", updated=0, **partition), {}).ready
    assert workloads.stateful_set(stateful_set(revision="a", updated=0, type="OnDelete"), {}).ready


def test_a_daemon_set_is_ready_on_every_node_it_should_run_on() -> None:
    def daemon_set(updated: int, available: int) -> Object:
        return {
            "status": {"desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberAvailable": available}
        }

    assert workloads.daemon_set(daemon_set(3, 3), {}).ready
    assert not workloads.daemon_set(daemon_set(2, 3), {}).ready
    assert not workloads.daemon_set(daemon_set(3, 2), {}).ready


def job(**conditions: str) -> Object:
    listed = [
        {"type": k, "status": v, "reason": "BackoffLimitExceeded", "message": "gave up"} for k, v in conditions.items()
    ]
    return {"metadata": {"name": "j"}, "spec": {}, "status": {"conditions": listed}}


def test_a_job_is_ready_when_complete_and_lost_when_failed() -> None:
    assert jobs.judge(job(Complete="True"), {}).ready
    assert jobs.judge(job(Suspended="True"), {}).ready
    assert not jobs.judge(job(), {}).ready
    lost = jobs.judge(job(Failed="True"), {"pods": [pod(ENDED, conditions=[NOT_READY], phase="Failed")]})
    assert lost.failed
    assert lost.problems == (
        "[Pod n/p]: containers with unready status: [c]",
        '[Pod n/p]: container "c" completed with exit code 1',
        "[BackoffLimitExceeded] gave up",
    )


def test_a_pod_is_ready_when_its_condition_says_so_or_it_succeeded() -> None:
    assert pods.judge(pod(conditions=[{"type": "Ready", "status": "True"}]), {}).ready
    assert pods.judge(pod(phase="Succeeded"), {}).ready
    assert pods.judge(pod(phase="Failed"), {}).failed


def test_a_pod_that_no_node_takes_says_why() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes fit"}
    assert pods.judge(pod(conditions=[unscheduled]), {}).problems == ("[Pod n/p]: [Unschedulable] 0/3 nodes fit",)


def service(**spec: Any) -> Object:  # noqa: ANN401
    return {"metadata": {"name": "s"}, "spec": {"selector": {"app": "a"}, "clusterIP": "10.0.0.1", **spec}}


def endpoints(*ready: bool, name: str = "s") -> Object:
    entries = [{"conditions": {"ready": each}} for each in ready]
    return {"metadata": {"labels": {"kubernetes.io/service-name": name}}, "endpoints": entries}


@pytest.mark.parametrize(
    "spec",
    [{"clusterIP": "None"}, {"type": "ExternalName"}, {"selector": None}],
    ids=["headless", "external", "manual"],
)
def test_some_services_wait_for_no_pods(spec: Any) -> None:  # noqa: ANN401
    assert services.service(service(**spec), {"slices": []}).ready


def test_a_service_waits_until_no_endpoint_is_unready_and_then_a_little() -> None:
    ready = services.service(service(), {"slices": [endpoints(True, True)]})
    assert ready.ready
    assert ready.settle_s == services.SETTLE_S
    assert not services.service(service(), {"slices": [endpoints(True, False)]}).ready
    assert services.service(service(), {"slices": [endpoints()]}).ready, "selecting nothing is allowed"


def test_a_leaving_endpoint_does_not_count() -> None:
    leaving = {"conditions": {"ready": False, "terminating": True}}
    assert services.service(service(), {"slices": [{"endpoints": [leaving]}]}).ready


def test_a_load_balancer_waits_for_its_address() -> None:
    balancer = service(type="LoadBalancer", clusterIP="None")
    assert not services.service(balancer, {}).ready
    assert services.service(balancer | {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}, {}).ready


def test_an_ingress_needs_backends_with_endpoints_and_an_address() -> None:
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    ingress = {"metadata": {"name": "i"}, "spec": {"rules": [{"http": {"paths": [{"backend": backend}]}}]}}
    addressed = ingress | {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    assert "Service 's'" in services.ingress(addressed, {"slices": [endpoints(False)]}).problems[0]
    assert not services.ingress(ingress, {"slices": [endpoints(True)]}).ready
    assert services.ingress(addressed, {"slices": [endpoints(True)]}).ready


def test_a_claim_that_waits_for_its_first_pod_is_ready() -> None:
    pending: Object = {"spec": {"storageClassName": "local"}, "status": {"phase": "Pending"}}
    assert storage.claim(pending, {"class": [{"volumeBindingMode": "WaitForFirstConsumer"}]}).ready
    assert not storage.claim(pending, {"class": [{"volumeBindingMode": "Immediate"}]}).ready
    assert storage.claim({"status": {"phase": "Bound"}}, {}).ready
    assert storage.claim_queries(pending)["class"].name == "local"


OBJECT = {
    "status": {
        "phase": "Running",
        "count": 3,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False"}],
        "items": [{"name": "a", "ok": True}, {"name": "b.c", "ok": False}],
    },
    "metadata": {"labels": {"x.y/z": "1"}},
}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("condition=Ready", True),
        ("condition=ready=true", True),
        ("condition=Synced", False),
        ("condition=Synced=False", True),
        ("condition=Other", False),
        ("jsonpath={.status.phase}=Running", True),
        ('jsonpath={.status.phase}="Running"', True),
        ("jsonpath={.status.phase}=Failed", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.missing}", False),
        ("jsonpath={.status.count}=3", True),
        ("jsonpath={.status.items[1].name}=b.c", True),
        ("jsonpath={.status.items[*].name}=b.c", True),
        ('jsonpath={.status.items[?(@.name=="a")].ok}=true', True),
        ('jsonpath={.status.conditions[?(@.type=="Synced")].status}=True', False),
        (r"jsonpath={.metadata.labels.x\.y/z}=1", True),
        ("jsonpath={$.metadata.labels['x.y/z']}=1", True),
        ('["condition=Ready", "jsonpath={.status.count}=3"]', True),
        ('["condition=Ready", "condition=Synced"]', False),
    ],
)
def test_wait_for_expressions(expression: str, met: bool) -> None:
    status = wait_for.rule(wait_for.parse(expression)).judge(OBJECT, {})
    assert status.ready is met
    assert status.ready or "pulumi.com/waitFor is not met" in status.problems[0]


@pytest.mark.parametrize(
    "expression", ["", "x", "condition=", "jsonpath=.a", "jsonpath={}", "[", "[]", "[1]", "jsonpath={.a[}"]
)
def test_a_broken_wait_for_is_an_error_that_quotes_it(expression: str) -> None:
    with pytest.raises(ValueError, match=r"pulumi\.com/waitFor"):
        wait_for.parse(expression)


def test_the_rule_follows_the_annotations() -> None:
    def annotated(**annotations: str) -> Object:
        named = {f"pulumi.com/{key}": value for key, value in annotations.items()}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": named}}

    assert await_.rule_for(annotated()) == Rule(pods.judge)
    assert await_.rule_for(annotated(skipAwait="true", waitFor="condition=Ready")) is None
    own = await_.rule_for(annotated(waitFor="condition=Other"))
    assert own is not None
    assert not own.judge(OBJECT, {}).ready
    assert await_.rule_for({"apiVersion": "v1", "kind": "ConfigMap"}) is None


def test_selectors_are_written_as_queries() -> None:
    assert selector_text({"app": "a", "tier": "b"}) == "app=a,tier=b"
    expressions = [
        {"key": "a", "operator": "In", "values": ["x", "y"]},
        {"key": "b", "operator": "NotIn", "values": ["z"]},
        {"key": "c", "operator": "Exists"},
        {"key": "d", "operator": "DoesNotExist"},
    ]
    assert (
        selector_text({"matchLabels": {"l": "m"}, "matchExpressions": expressions}) == "l=m,a in (x,y),b notin (z),c,!d"
    )
