"""Pod Security Standards, level `restricted`, a rule a control, and two steps beyond."""

from collections.abc import Callable

from components.kit.restricted import CONTROLS
from policies.kit.objects import WORKLOADS, containers, pods
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

NSA = "NSA pod security"


def control(name: str) -> Callable[[Fields, Context], Found]:
    """The check that asks one control of the standard; the components' tests ask the same."""

    def check(pod: Fields, _: Context) -> Found:
        for problem in CONTROLS[name](pod):
            yield Finding(f"{pod.path}.{problem.field}", problem.rule)

    return check


def _writable_root(container: Fields, _: Context) -> Found:
    if container.sub("securityContext").get("readOnlyRootFilesystem") is not True:
        yield Finding(container.at("securityContext", "readOnlyRootFilesystem"), "must be true")


def _low_user(pod: Fields, context: Context) -> Found:
    minimum = context.settings["minimum"]
    own = pod.sub("securityContext")
    for field in ("runAsUser", "runAsGroup"):
        lowest = own.get(field)
        if lowest is None or lowest < minimum:
            yield Finding(own.at(field), f"must be {minimum} or more, so that no user of the node has the same number")


RULES = (
    Rule(
        id="host-namespaces",
        title="A pod shares no network, process or IPC namespace with its node",
        severity=Severity.CRITICAL,
        remediation="leave it out",
        kinds=WORKLOADS,
        each=pods,
        check=control("host-namespaces"),
        covers=("CKV_K8S_17", "CKV_K8S_18", "CKV_K8S_19"),
        frameworks=("PSS baseline", "CIS 5.2.3", "CIS 5.2.4", "CIS 5.2.5", NSA),
    ),
    Rule(
        id="volume-types",
        title="A pod mounts no folder of its node",
        severity=Severity.CRITICAL,
        remediation="take a claim, a ConfigMap, a Secret, a projected volume or an emptyDir",
        kinds=WORKLOADS,
        each=pods,
        check=control("volume-types"),
        covers=("CKV_K8S_27",),
        frameworks=("PSS restricted", "CIS 5.2.12", NSA),
    ),
    Rule(
        id="privileged",
        title="No container is privileged",
        severity=Severity.CRITICAL,
        remediation="leave it out, and give the one capability that is needed if there is one",
        kinds=WORKLOADS,
        each=pods,
        check=control("privileged"),
        covers=("CKV_K8S_16", "kube-score/container-security-context-privileged"),
        frameworks=("PSS baseline", "CIS 5.2.2", NSA),
    ),
    Rule(
        id="host-ports",
        title="A container takes no port of its node",
        severity=Severity.HIGH,
        remediation="leave hostPort out, and reach the pod through a Service",
        kinds=WORKLOADS,
        each=pods,
        check=control("host-ports"),
        covers=("CKV_K8S_26",),
        frameworks=("PSS baseline", "CIS 5.2.13"),
    ),
    Rule(
        id="privilege-escalation",
        title="No process of a container gains more privileges than its parent has",
        severity=Severity.HIGH,
        remediation="set allowPrivilegeEscalation: false",
        kinds=WORKLOADS,
        each=pods,
        check=control("privilege-escalation"),
        covers=("CKV_K8S_20",),
        frameworks=("PSS restricted", "CIS 5.2.6", NSA),
    ),
    Rule(
        id="non-root",
        title="No container runs as root",
        severity=Severity.HIGH,
        remediation="set runAsNonRoot: true and the image's own user",
        kinds=WORKLOADS,
        each=pods,
        check=control("non-root"),
        covers=("CKV_K8S_23", "CKV_K8S_29"),
        frameworks=("PSS restricted", "CIS 5.2.7", NSA),
    ),
    Rule(
        id="capabilities",
        title="A container drops all capabilities and adds none but NET_BIND_SERVICE",
        severity=Severity.HIGH,
        remediation="set capabilities.drop: [ALL]",
        kinds=WORKLOADS,
        each=pods,
        check=control("capabilities"),
        covers=("CKV_K8S_25", "CKV_K8S_28", "CKV_K8S_37", "CKV_K8S_39"),
        frameworks=("PSS restricted", "CIS 5.2.8", "CIS 5.2.9", "CIS 5.2.10", NSA),
    ),
    Rule(
        id="seccomp",
        title="Seccomp is on for every container, and AppArmor is not taken off",
        severity=Severity.MEDIUM,
        remediation="set seccompProfile.type: RuntimeDefault",
        kinds=WORKLOADS,
        each=pods,
        check=control("seccomp"),
        covers=("CKV_K8S_31", "kube-score/container-seccomp-profile"),
        frameworks=("PSS restricted", "CIS 5.7.2", NSA),
    ),
    Rule(
        id="sysctls",
        title="A pod changes no kernel setting that is not its own",
        severity=Severity.HIGH,
        remediation="leave the sysctl out",
        kinds=WORKLOADS,
        each=pods,
        check=control("sysctls"),
        frameworks=("PSS baseline",),
    ),
    Rule(
        id="read-only-root",
        title="A container writes to its volumes alone",
        severity=Severity.MEDIUM,
        remediation="set readOnlyRootFilesystem: true, and mount an emptyDir where it writes",
        kinds=WORKLOADS,
        each=containers,
        check=_writable_root,
        covers=("CKV_K8S_22", "CKV_K8S_30", "kube-score/container-security-context-readonlyrootfilesystem"),
        frameworks=("CIS 5.7.3", NSA),
    ),
    Rule(
        id="high-user",
        title="A pod runs as a user and group that no process of the node has",
        severity=Severity.LOW,
        remediation="give runAsUser and runAsGroup a high number of the pod's own",
        kinds=WORKLOADS,
        each=pods,
        check=_low_user,
        covers=("CKV_K8S_40", "kube-score/container-security-context-user-group-id"),
        frameworks=(NSA,),
        settings={"minimum": Setting(10_000, "lowest user and group id")},
    ),
)
