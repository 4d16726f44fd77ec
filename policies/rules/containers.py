"""What containers are told and what they mount."""

from collections import Counter

from policies.kit.objects import WORKLOADS, containers, pods
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

GROUP_READS = 0o440


def _duplicates(container: Fields, _: Context) -> Found:
    counts = Counter(str(variable["name"]) for variable in container.each("env"))
    for name in sorted(name for name, count in counts.items() if count > 1):
        yield Finding(container.at("env"), f"{name} is there {counts[name]} times, and only the last one counts")


def _from_secret(container: Fields, _: Context) -> Found:
    freezes = "is read once, so no rotation reaches it, and a dump of the environment shows it"
    for variable in container.each("env"):
        if variable.sub("valueFrom").get("secretKeyRef"):
            yield Finding(variable.at("valueFrom", "secretKeyRef"), freezes)
    for source in container.each("envFrom"):
        if source.get("secretRef"):
            yield Finding(source.at("secretRef"), freezes)


def _sub_paths(pod: Fields, _: Context) -> Found:
    refreshed = {v["name"] for v in pod.each("volumes") if {"configMap", "projected", "secret"} & v.keys()}
    for field in ("initContainers", "containers"):
        for container in pod.each(field):
            for mount in container.each("volumeMounts"):
                part = next((key for key in ("subPath", "subPathExpr") if mount.get(key)), None)
                if part and mount["name"] in refreshed:
                    yield Finding(mount.at(part), "mounts a copy that no later change reaches")


def _secret_mode(pod: Fields, context: Context) -> Found:
    allowed = int(context.settings["mode"], 8)
    for volume in pod.each("volumes"):
        secret = volume.sub("secret")
        if not secret:
            continue
        modes = [(secret, "defaultMode"), *((item, "mode") for item in secret.each("items") if "mode" in item)]
        for holder, key in modes:
            mode = holder.get(key)
            if int(0o644 if mode is None else mode) & ~allowed:
                yield Finding(holder.at(key), f"lets more read the secret than {allowed:#o} does")


def _port_names(container: Fields, _: Context) -> Found:
    ports = list(container.each("ports"))
    counts = Counter((port["containerPort"], port.get("protocol") or "TCP") for port in ports)
    for port in ports:
        if counts[port["containerPort"], port.get("protocol") or "TCP"] > 1:
            yield Finding(port.at("containerPort"), "is declared twice")
        if not port.get("name"):
            yield Finding(port.at("name"), "is not set, so Services and probes must repeat the number")


def _grace(pod: Fields, context: Context) -> Found:
    kind = context.object.kind
    least = context.settings["stateful_s" if kind == "StatefulSet" else "stateless_s"]
    given = pod.get("terminationGracePeriodSeconds")
    path = pod.at("terminationGracePeriodSeconds")
    if given is None:
        yield Finding(path, "is not set: how long a clean stop takes is for the workload to say")
    elif given < least:
        yield Finding(path, f"is {given:g} s, below the {least} s that a clean stop of a {kind} may take")


RULES = (
    Rule(
        id="env-duplicates",
        title="Every environment variable is given once",
        severity=Severity.MEDIUM,
        remediation="leave all but one out",
        kinds=WORKLOADS,
        each=containers,
        check=_duplicates,
        covers=("kube-score/environment-variable-key-duplication",),
    ),
    Rule(
        id="env-from-secret",
        title="No environment variable comes from a Secret",
        severity=Severity.HIGH,
        remediation="mount the Secret as a folder, and let the process read the file again when it changes",
        kinds=WORKLOADS,
        each=containers,
        check=_from_secret,
        covers=("CKV_K8S_35",),
        frameworks=("CIS 5.4.1",),
    ),
    Rule(
        id="sub-path",
        title="Secrets and ConfigMaps are mounted whole, never by subPath",
        severity=Severity.MEDIUM,
        remediation="mount the whole volume as a folder",
        kinds=WORKLOADS,
        each=pods,
        check=_sub_paths,
    ),
    Rule(
        id="secret-mode",
        title="Files of a Secret are readable by the pod's user and group alone",
        severity=Severity.LOW,
        remediation="set defaultMode: 0440 (288 in JSON)",
        kinds=WORKLOADS,
        each=pods,
        check=_secret_mode,
        settings={"mode": Setting(f"{GROUP_READS:o}", "the widest mode, octal")},
    ),
    Rule(
        id="container-ports",
        title="Container ports have names, and none is declared twice",
        severity=Severity.LOW,
        remediation="give each port a name, once",
        kinds=WORKLOADS,
        each=containers,
        check=_port_names,
        covers=("kube-score/container-ports-check",),
    ),
    Rule(
        id="grace-period",
        title="A workload says how long its clean stop takes",
        severity=Severity.MEDIUM,
        remediation="set terminationGracePeriodSeconds",
        kinds=("DaemonSet", "Deployment", "StatefulSet"),
        each=pods,
        check=_grace,
        settings={
            "stateless_s": Setting(10, "least seconds of a Deployment or DaemonSet"),
            "stateful_s": Setting(30, "least seconds of a StatefulSet"),
        },
    ),
)
