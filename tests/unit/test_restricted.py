"""Pod Security `restricted`: a pod that passes, and each way to fail."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from components.kit.restricted import restricted_problems

GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "a",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "ports": [{"containerPort": 80}],
        }
    ],
    "volumes": [{"name": "v", "emptyDir": {}}],
}


def test_a_hardened_pod_passes() -> None:
    assert restricted_problems(GOOD) == []


def pod(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    changed = copy.deepcopy(GOOD)
    change(changed)
    return changed


def of_container(**settings: object) -> Callable[[dict[str, Any]], object]:
    return lambda pod: pod["containers"][0]["securityContext"].update(settings)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda p: p.update(hostNetwork=True), "hostNetwork"),
        (lambda p: p.update(hostPID=True), "hostPID"),
        (lambda p: p.update(hostIPC=True), "hostIPC"),
        (lambda p: p["volumes"].append({"name": "h", "hostPath": {"path": "/"}}), "volumes[1]"),
        (lambda p: p["securityContext"].update(runAsUser=0), "securityContext.runAsUser"),
        (lambda p: p["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}]), "securityContext.sysctls"),
        (
            lambda p: p["securityContext"].update(seccompProfile={"type": "Unconfined"}),
            "securityContext.seccompProfile",
        ),
        (
            lambda p: p["securityContext"].update(appArmorProfile={"type": "Unconfined"}),
            "securityContext.appArmorProfile",
        ),
        (lambda p: p["securityContext"].pop("runAsNonRoot"), "containers[0].securityContext.runAsNonRoot"),
        (lambda p: p["securityContext"].pop("seccompProfile"), "containers[0].securityContext.seccompProfile"),
        (of_container(privileged=True), "containers[0].securityContext.privileged"),
        (of_container(allowPrivilegeEscalation=None), "containers[0].securityContext.allowPrivilegeEscalation"),
        (of_container(runAsNonRoot=False), "containers[0].securityContext.runAsNonRoot"),
        (of_container(runAsUser=0), "containers[0].securityContext.runAsUser"),
        (of_container(capabilities={}), "containers[0].securityContext.capabilities.drop"),
        (
            of_container(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
            "containers[0].securityContext.capabilities.add",
        ),
        (lambda p: p["containers"][0]["ports"][0].update(hostPort=80), "containers[0].ports[0].hostPort"),
        (
            lambda p: p.update(initContainers=[{"name": "i"}]),
            "initContainers[0].securityContext.allowPrivilegeEscalation",
        ),
    ],
)
def test_each_rule_can_fail(change: Callable[[dict[str, Any]], object], field: str) -> None:
    assert field in [problem.field for problem in restricted_problems(pod(change))]
