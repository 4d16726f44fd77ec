"""Pod Security Standards, level `restricted`, as a pure function over a pod spec as the API takes it.

Rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/, without those that only Windows pods break.
"""

from collections.abc import Iterator, Mapping
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
    found = [*_pod_problems(pod)]
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(pod.get(field) or ()):
            found += _container_problems(f"{field}[{index}]", container, pod.get("securityContext") or {})
    return found


def _pod_problems(pod: PodSpec) -> Iterator[Problem]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield Problem(field, pod[field], "a pod shares no namespace with its node", "leave it out")
    for index, volume in enumerate(pod.get("volumes") or ()):
        for kind in volume.keys() - VOLUMES - {"name"}:
            yield Problem(f"volumes[{index}]", kind, f"one of {', '.join(sorted(VOLUMES))}", "take one of these")
    for sysctl in (pod.get("securityContext") or {}).get("sysctls") or ():
        if sysctl["name"] not in SYSCTLS:
            yield Problem("securityContext.sysctls", sysctl["name"], "a safe sysctl", "leave it out")
    yield from _identity("securityContext", pod.get("securityContext") or {})


def _identity(field: str, context: Mapping[str, Any]) -> Iterator[Problem]:
    if context.get("runAsUser") == 0:
        yield Problem(f"{field}.runAsUser", 0, "not root", "give the image's own user")
    profile = (context.get("seccompProfile") or {}).get("type")
    if profile is not None and profile not in PROFILES:
        yield Problem(f"{field}.seccompProfile", profile, f"one of {', '.join(PROFILES)}", "give RuntimeDefault")
    confined = (context.get("appArmorProfile") or {}).get("type")
    if confined is not None and confined not in PROFILES:
        yield Problem(f"{field}.appArmorProfile", confined, f"one of {', '.join(PROFILES)}", "leave it out")


def _container_problems(where: str, container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Problem]:
    own = container.get("securityContext") or {}
    field = f"{where}.securityContext"
    yield from _identity(field, own)
    if own.get("privileged"):
        yield Problem(f"{field}.privileged", True, "no privileged container", "leave it out")
    if own.get("allowPrivilegeEscalation") is not False:
        value = own.get("allowPrivilegeEscalation")
        yield Problem(f"{field}.allowPrivilegeEscalation", value, "must be false", "set it to false")
    if not own.get("runAsNonRoot", pod.get("runAsNonRoot")):
        yield Problem(f"{field}.runAsNonRoot", own.get("runAsNonRoot"), "must be true", "set it, here or for the pod")
    if not (own.get("seccompProfile") or pod.get("seccompProfile")):
        yield Problem(f"{field}.seccompProfile", None, "must be set", "give RuntimeDefault, here or for the pod")
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield Problem(f"{field}.capabilities.drop", capabilities.get("drop"), "must name ALL", "drop ALL")
    for added in capabilities.get("add") or ():
        if added != "NET_BIND_SERVICE":
            yield Problem(f"{field}.capabilities.add", added, "none but NET_BIND_SERVICE", "leave it out")
    for index, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            yield Problem(f"{where}.ports[{index}].hostPort", port["hostPort"], "no port of the node", "leave it out")
