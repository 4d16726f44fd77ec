"""Pod Security Standards, level `restricted`, as a pure function over a pod spec as the API takes it.

Rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/, without those that only Windows pods break.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.kit.errors import Problem

PodSpec = Mapping[str, Any]

VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
PROFILES = ("RuntimeDefault", "Localhost")


def restricted_problems(pod: PodSpec) -> list[Problem]:
    """What keeps the pod out of a namespace that enforces `restricted`; empty when it may run."""
    return [problem for control in CONTROLS.values() for problem in control(pod)]


def host_namespaces(pod: PodSpec) -> Iterator[Problem]:
    """The pod shares no namespace with its node."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield Problem(field, pod[field], "a pod shares no namespace with its node", "leave it out")


def volume_types(pod: PodSpec) -> Iterator[Problem]:
    """No volume shows a file of the node."""
    for index, volume in enumerate(pod.get("volumes") or ()):
        for kind in sorted(volume.keys() - VOLUMES - {"name"}):
            yield Problem(f"volumes[{index}]", kind, f"one of {', '.join(sorted(VOLUMES))}", "take one of these")


def sysctls(pod: PodSpec) -> Iterator[Problem]:
    """Only kernel settings that are the pod's own."""
    for sysctl in (pod.get("securityContext") or {}).get("sysctls") or ():
        if sysctl["name"] not in SYSCTLS:
            yield Problem("securityContext.sysctls", sysctl["name"], "a safe sysctl", "leave it out")


def non_root(pod: PodSpec) -> Iterator[Problem]:
    """No container runs as root."""
    inherited = pod.get("securityContext") or {}
    if inherited.get("runAsUser") == 0:
        yield Problem("securityContext.runAsUser", 0, "not root", "give the image's own user")
    for field, own in _contexts(pod):
        if own.get("runAsUser") == 0:
            yield Problem(f"{field}.runAsUser", 0, "not root", "give the image's own user")
        if not own.get("runAsNonRoot", inherited.get("runAsNonRoot")):
            value = own.get("runAsNonRoot")
            yield Problem(f"{field}.runAsNonRoot", value, "must be true", "set it, here or for the pod")


def confinement(pod: PodSpec) -> Iterator[Problem]:
    """Seccomp is on for every container, and AppArmor is not taken off."""
    inherited = pod.get("securityContext") or {}
    yield from _profiles("securityContext", inherited)
    for field, own in _contexts(pod):
        yield from _profiles(field, own)
        if not (own.get("seccompProfile") or inherited.get("seccompProfile")):
            yield Problem(f"{field}.seccompProfile", None, "must be set", "give RuntimeDefault, here or for the pod")


def _profiles(field: str, context: Mapping[str, Any]) -> Iterator[Problem]:
    profile = (context.get("seccompProfile") or {}).get("type")
    if profile is not None and profile not in PROFILES:
        yield Problem(f"{field}.seccompProfile", profile, f"one of {', '.join(PROFILES)}", "give RuntimeDefault")
    confined = (context.get("appArmorProfile") or {}).get("type")
    if confined is not None and confined not in PROFILES:
        yield Problem(f"{field}.appArmorProfile", confined, f"one of {', '.join(PROFILES)}", "leave it out")


def privileged(pod: PodSpec) -> Iterator[Problem]:
    """No container has the node's powers."""
    for field, own in _contexts(pod):
        if own.get("privileged"):
            yield Problem(f"{field}.privileged", True, "no privileged container", "leave it out")


def escalation(pod: PodSpec) -> Iterator[Problem]:
    """No process gains more privileges than its parent has."""
    for field, own in _contexts(pod):
        if own.get("allowPrivilegeEscalation") is not False:
            value = own.get("allowPrivilegeEscalation")
            yield Problem(f"{field}.allowPrivilegeEscalation", value, "must be false", "set it to false")


def capabilities(pod: PodSpec) -> Iterator[Problem]:
    """All capabilities are dropped, and none but NET_BIND_SERVICE comes back."""
    for field, own in _contexts(pod):
        given = own.get("capabilities") or {}
        if "ALL" not in (given.get("drop") or ()):
            yield Problem(f"{field}.capabilities.drop", given.get("drop"), "must name ALL", "drop ALL")
        for added in given.get("add") or ():
            if added != "NET_BIND_SERVICE":
                yield Problem(f"{field}.capabilities.add", added, "none but NET_BIND_SERVICE", "leave it out")


def host_ports(pod: PodSpec) -> Iterator[Problem]:
    """No port of the node."""
    for where, container in _containers(pod):
        for index, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort"):
                field = f"{where}.ports[{index}].hostPort"
                yield Problem(field, port["hostPort"], "no port of the node", "leave it out")


def _containers(pod: PodSpec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(pod.get(field) or ()):
            yield f"{field}[{index}]", container


def _contexts(pod: PodSpec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, container in _containers(pod):
        yield f"{where}.securityContext", container.get("securityContext") or {}


CONTROLS: Mapping[str, Callable[[PodSpec], Iterator[Problem]]] = {
    "host-namespaces": host_namespaces,
    "host-ports": host_ports,
    "volume-types": volume_types,
    "privileged": privileged,
    "privilege-escalation": escalation,
    "non-root": non_root,
    "capabilities": capabilities,
    "seccomp": confinement,
    "sysctls": sysctls,
}
"""The controls of the standard, each by itself."""
