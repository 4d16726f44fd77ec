"""Probes: that they are there, that they ask different things, and that they ask somebody who is there."""

from policies.kit.objects import SERVING, containers, pods, servers
from policies.kit.rule import Context, Finding, Found, Rule, Severity
from policies.kit.values import Fields, plain

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")


def _liveness(container: Fields, _: Context) -> Found:
    if not container.get("livenessProbe"):
        yield Finding(container.at("livenessProbe"), "is not set, so a process that hangs is never restarted")


def _readiness(pod: Fields, _: Context) -> Found:
    if not any(container.get("readinessProbe") for container in pod.each("containers")):
        problem = "have no readinessProbe, so the pod gets requests, and a rollout goes on, before it can serve"
        yield Finding(pod.at("containers"), problem)


def _same(container: Fields, _: Context) -> Found:
    live, ready = ({h: plain(container.sub(probe).get(h)) for h in HANDLERS} for probe in PROBES[1:])
    if any(live.values()) and live == ready:
        problem = "asks what livenessProbe asks, so a dependency that is away restarts the pod"
        yield Finding(container.at("readinessProbe"), problem)


def _ports(container: Fields, _: Context) -> Found:
    declared = {port.get("name") for port in container.each("ports")}
    for probe in PROBES:
        for handler in ("httpGet", "tcpSocket"):
            target = container.sub(probe, handler)
            port = target.get("port")
            if isinstance(port, str) and not port.isdecimal() and port not in declared:
                yield Finding(target.at("port"), f"{port!r} is no port of the container, so the probe always fails")


RULES = (
    Rule(
        id="liveness-probe",
        title="Every long-running container has a liveness probe",
        severity=Severity.MEDIUM,
        remediation="add a livenessProbe that asks the process alone",
        kinds=SERVING,
        each=servers,
        check=_liveness,
        covers=("CKV_K8S_8", "kube-score/pod-probes"),
    ),
    Rule(
        id="readiness-probe",
        title="Every long-running pod says when it is ready",
        severity=Severity.HIGH,
        remediation="add a readinessProbe to the container that serves",
        kinds=SERVING,
        each=pods,
        check=_readiness,
        covers=("CKV_K8S_9", "kube-score/pod-probes"),
    ),
    Rule(
        id="probes-differ",
        title="Liveness and readiness ask different things",
        severity=Severity.MEDIUM,
        remediation="let liveness ask the process, and readiness what it depends on",
        kinds=SERVING,
        each=containers,
        check=_same,
        covers=("kube-score/pod-probes-identical",),
    ),
    Rule(
        id="probe-ports",
        title="A probe's named port is a port of its container",
        severity=Severity.MEDIUM,
        remediation="name the port in the container's ports, or give its number",
        kinds=SERVING,
        each=containers,
        check=_ports,
    ),
)
