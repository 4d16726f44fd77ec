"""The provider under the real CLI, with objects that controllers act on and that it waits for."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.plugins.harness import Project
from tests.plugins.kubernetes.fix_lab import Lab

pytestmark = pytest.mark.cluster

ROLLOUT = """
    workload(k8s.apps.v1.Deployment, "d", labels={{"app": "{label}"}}, spec={{"replicas": {replicas}}})
    k8s.core.v1.Service("v", metadata={{"name": "v"}}, opts=O,
        spec={{{kind}"selector": {{"app": "{label}"}}, "ports": [{{"port": 80}}]}})
    k8s.core.v1.Service("headless", metadata={{"name": "h"}}, opts=O,
        spec={{"clusterIP": "None", "selector": {{"app": "s"}}, "ports": [{{"port": 80}}]}})
    workload(k8s.apps.v1.StatefulSet, "s", spec={{
        "serviceName": "h", "replicas": {replicas}, "podManagementPolicy": "{policy}"}})
    workload(k8s.apps.v1.DaemonSet, "every")
"""


def test_workloads_and_their_services_come_up_change_and_go(lab: Lab) -> None:
    values = {"label": "a", "replicas": 1, "kind": "", "policy": "Parallel"}
    project = lab.program(ROLLOUT.format(**values))
    everything = dict.fromkeys(("d", "v", "headless", "s", "every"), "create")
    assert project.up().ok().ops == everything
    assert lab.field("deployment/d", ".status.availableReplicas") == "1"
    assert lab.field("statefulset/s", ".status.readyReplicas") == "1"
    daemons = lab.field("daemonset/every", ".status")
    assert daemons, "a DaemonSet is waited for"
    assert lab.field("daemonset/every", ".status.numberAvailable") == lab.field(
        "daemonset/every", ".status.desiredNumberScheduled"
    )
    project.preview("--expect-no-changes").ok()
    project.refresh("--expect-no-changes").ok()

    values |= {"replicas": 2, "kind": '"type": "NodePort", '}
    project = lab.program(ROLLOUT.format(**values))
    preview = project.preview().ok()
    assert {name: preview.detailed_diff(name) for name in preview.ops} == {
        "d": {"spec.replicas": "update"},
        "v": {"spec.type": "add"},
        "s": {"spec.replicas": "update"},
    }
    assert project.up().ok().ops == dict.fromkeys(("d", "v", "s"), "update")
    assert lab.field("deployment/d", ".status.availableReplicas") == "2"
    assert lab.field("statefulset/s", ".status.readyReplicas") == "2"

    values |= {"label": "b", "policy": "OrderedReady"}
    project = lab.program(ROLLOUT.format(**values))
    preview = project.preview().ok()
    assert preview.ops == {"d": "replace", "v": "update", "s": "replace"}
    assert preview.detailed_diff("d") == {
        "spec.selector.matchLabels.app": "update-replace",
        "spec.template.metadata.labels.app": "update",
    }
    assert preview.detailed_diff("s") == {"spec.podManagementPolicy": "update-replace"}
    assert project.up().ok().ops == preview.ops
    project.preview("--expect-no-changes").ok()
    assert project.destroy().ok().ops == dict.fromkeys(everything, "delete")
    assert lab.kubectl("get", "pods", "--field-selector=status.phase=Running", "-o", "name") == "", "pods go first"


UNREADY = """
    workload(k8s.apps.v1.Deployment, "d", {annotations}pod={{"image": {image}}})
    workload(k8s.apps.v1.Deployment, "unawaited", annotations={{"pulumi.com/skipAwait": "true"}},
        pod={{"image": "localhost/none:none"}})
"""


def test_what_never_becomes_ready_fails_with_its_reasons_and_is_kept(lab: Lab) -> None:
    limit = 'annotations={"pulumi.com/timeoutSeconds": "8"}, '
    project = lab.program(UNREADY.format(annotations=limit, image='"localhost/none:none"'))
    outcome = project.up()
    assert outcome.code
    assert outcome.failed == ["kubernetes:apps/v1:Deployment::d"]
    message = "\n".join(outcome.errors)
    assert "but the Kubernetes API server reported that it failed to fully initialize or become live" in message
    assert "'d' timed out waiting to be Ready" in message
    assert "[MinimumReplicasUnavailable] Deployment does not have minimum availability." in message
    assert "containers with unready status: [c][" in message
    assert "event Failed: Failed to pull image" in message
    assert project.state()["d"]["id"] == f"{lab.namespace}/d"
    assert set(project.state()) == {"d", "unawaited"}

    project = lab.program(UNREADY.format(annotations="", image="IMAGE"))
    preview = project.preview().ok()
    assert preview.detailed_diff("d") == {
        "metadata.annotations": "delete",
        "spec.template.spec.containers[0].image": "update",
    }
    assert project.up().ok().ops == {"d": "update"}


JOB = """
    template = {{"restartPolicy": "Never", "containers": [{{"name": "c", "image": IMAGE, "command": {command}}}]}}
    k8s.batch.v1.Job("j", metadata={{"name": "{name}", "annotations": {annotations}}}, opts=O,
        spec={{"backoffLimit": 0, "template": {{"spec": template}}}})
"""


def test_a_job_is_replaced_for_its_template_and_a_failed_one_shows_its_log(lab: Lab) -> None:
    assert lab.program(JOB.format(name="j", command=["true"], annotations={})).up().ok().ops == {"j": "create"}
    project = lab.program(JOB.format(name="j", command=["echo"], annotations={}))
    assert project.preview().ok().detailed_diff("j") == {
        "spec.template.spec.containers[0].command[0]": "update-replace"
    }
    assert project.up().ok().ops == {"j": "replace"}
    broken = ["sh", "-c", "echo out of cheese; exit 3"]
    project = lab.program(JOB.format(name="k", command=broken, annotations={}))
    outcome = project.up()
    assert outcome.code
    message = "\n".join(outcome.errors)
    assert "Resource 'k' was created but failed to initialize" in message
    assert "[BackoffLimitExceeded] Job has reached the specified backoff limit" in message
    assert 'container "c" completed with exit code 3' in message
    assert "out of cheese" in message
    assert lab.field("job/j", ".metadata.name") == "j", "the old one stays until the new one works"
    again = {"pulumi.com/replaceUnready": "true"}
    project = lab.program(JOB.format(name="k", command=broken, annotations=again))
    assert project.preview().ok().ops == {"j": "replace"}


def test_what_a_quota_or_policy_forbids_is_told_by_its_event(lab: Lab) -> None:
    lab.kubectl("label", "namespace", lab.namespace, "pod-security.kubernetes.io/enforce=restricted")
    project = lab.program("""
        limit = {"pulumi.com/timeoutSeconds": "4"}
        workload(k8s.apps.v1.StatefulSet, "s", spec={"serviceName": "h"}, annotations=limit)
    """)
    outcome = project.up()
    assert outcome.code
    assert any('violates PodSecurity "restricted' in error for error in outcome.errors)


def test_the_program_can_say_what_ready_means(lab: Lab) -> None:
    waits = """
        spec = {{"containers": [{{"name": "c", "image": IMAGE, "command": ["sh", "-c", "sleep {seconds}"]}}],
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}}
        k8s.core.v1.Pod("{name}", metadata={{"name": "{name}", "annotations": {{
            "pulumi.com/waitFor": "{expression}", "pulumi.com/timeoutSeconds": "{limit}"}}}}, spec=spec, opts=O)
    """
    project = lab.program(waits.format(seconds=2, name="p", expression="jsonpath={.status.phase}=Succeeded", limit=60))
    project.up().ok()
    assert lab.field("pod/p", ".status.phase") == "Succeeded"
    project = lab.program(waits.format(seconds=1000, name="q", expression="condition=Lucky", limit=3))
    outcome = project.up()
    assert outcome.code
    assert any("pulumi.com/waitFor is not met: condition=Lucky" in error for error in outcome.errors)
    assert project.state()["q"]["id"] == f"{lab.namespace}/q"


def test_a_claim_that_waits_for_its_pod_holds_nobody_up(lab: Lab) -> None:
    project = lab.program("""
        claim = k8s.core.v1.PersistentVolumeClaim("claim", metadata={"name": "claim"}, opts=O,
            spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}})
        mount = {"name": "data", "persistentVolumeClaim": {"claimName": claim.metadata["name"]}}
        k8s.core.v1.Pod("user", metadata={"name": "user"}, opts=O, spec={"terminationGracePeriodSeconds": 0,
            "volumes": [mount], "containers": [{"name": "c", "image": IMAGE, "command": ["sleep", "100000"],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]})
    """)
    project.up().ok()
    assert lab.field("pvc/claim", ".status.phase") == "Bound"
    project.preview("--expect-no-changes").ok()


def test_an_ignored_field_is_left_to_who_changed_it(lab: Lab) -> None:
    scaled = """
        metadata = {{"name": "d", "labels": {{"epoch": "{epoch}"}}}}
        pod = {{"containers": [{{"name": "c", "image": IMAGE, "command": ["sleep", "100000"]}}]}}
        template = {{"metadata": {{"labels": {{"app": "d"}}}}, "spec": pod | {{"terminationGracePeriodSeconds": 0}}}}
        k8s.apps.v1.Deployment("d", metadata=metadata, opts=options(ignore_changes=["spec.replicas"]),
            spec={{"replicas": 1, "selector": {{"matchLabels": {{"app": "d"}}}}, "template": template}})
    """
    lab.program(scaled.format(epoch=1)).up().ok()
    lab.kubectl("scale", "deployment", "d", "--replicas=2")
    project = lab.program(scaled.format(epoch=2))
    project.refresh().ok()
    assert project.preview().ok().detailed_diff("d") == {"metadata.labels.epoch": "update"}
    project.up().ok()
    assert lab.field("deployment/d", ".spec.replicas") == "2"


def test_a_cancelled_update_stops_waiting_at_once_and_keeps_what_is_there(lab: Lab) -> None:
    project = lab.program('workload(k8s.apps.v1.Deployment, "d", pod={"image": "localhost/none:none"})')
    process = project.start("up", "--yes", "--skip-preview")
    until(lambda: lab.field("deployment/d", ".status.unavailableReplicas") == "1", seconds=60)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    text, _ = process.communicate(timeout=60)
    assert process.returncode
    assert time.monotonic() - begin < 15
    assert "Resource operation was cancelled for 'd'" in text
    assert kept(project) == f"{lab.namespace}/d"


def until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come"
        time.sleep(0.5)


def kept(project: Project) -> str:
    """The id of the only resource in the state."""
    ((_, resource),) = project.state().items()
    return str(resource["id"])
