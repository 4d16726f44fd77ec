"""Roles and bindings: nobody may do everything, read all secrets, or become somebody else."""

from collections.abc import Iterable

from policies.kit.objects import Object
from policies.kit.rule import Context, Finding, Found, Rule, Severity
from policies.kit.values import Fields

ROLES = ("ClusterRole", "Role")
BINDINGS = ("ClusterRoleBinding", "RoleBinding")
NSA = "NSA authentication and authorization"
EVERYBODY = ("system:anonymous", "system:authenticated", "system:serviceaccounts", "system:unauthenticated")
SHELLS = ("nodes/proxy", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy")
POWERS = {
    "certificatesigningrequests/approval": "issues certificates for any user",
    "mutatingwebhookconfigurations": "changes any object on its way in",
    "persistentvolumes": "mounts any folder of a node",
    "serviceaccounts/token": "makes tokens of any service account",
    "validatingwebhookconfigurations": "sees any object on its way in",
}
WRITES = {"create", "update", "patch"}


def rules(obj: Object) -> Iterable[Fields]:
    """The rules of a role."""
    return obj.values.each("rules")


def _wildcards(rule: Fields, _: Context) -> Found:
    for field in ("apiGroups", "resources", "verbs"):
        if "*" in rule.list(field):
            yield Finding(rule.at(field), "is *, so it grants what does not exist yet too")


def _secrets(rule: Fields, context: Context) -> Found:
    if "secrets" not in rule.list("resources"):
        return
    verbs = set(rule.list("verbs"))
    if wide := verbs & {"list", "watch", "deletecollection"}:
        yield Finding(rule.at("verbs"), f"has {', '.join(sorted(wide))} for secrets, which no names can narrow")
    if "get" in verbs and not rule.list("resourceNames"):
        yield Finding(rule.at("resourceNames"), "is not set, so every secret may be read")


def _escalation(rule: Fields, _: Context) -> Found:
    if found := {"bind", "escalate", "impersonate"} & set(rule.list("verbs")):
        yield Finding(rule.at("verbs"), f"has {', '.join(sorted(found))}: whoever has it can give himself all the rest")


def _powers(rule: Fields, _: Context) -> Found:
    if WRITES & set(rule.list("verbs")):
        for resource in rule.list("resources"):
            if resource in POWERS:
                yield Finding(rule.at("resources"), f"write access to {resource} {POWERS[resource]}")


def _shells(rule: Fields, _: Context) -> Found:
    if {"create", "get"} & set(rule.list("verbs")):
        for resource in rule.list("resources"):
            if resource in SHELLS:
                yield Finding(rule.at("resources"), f"{resource} leads into running containers, and past every log")


def _create_pods(rule: Fields, _: Context) -> Found:
    if "create" in rule.list("verbs") and "pods" in rule.list("resources"):
        yield Finding(rule.at("verbs"), "create for pods: a pod can mount every secret of its namespace")


def _cluster_admin(binding: Fields, _: Context) -> Found:
    if binding.sub("roleRef").get("name") == "cluster-admin":
        yield Finding("roleRef.name", "is cluster-admin")


def _subjects(binding: Fields, _: Context) -> Found:
    for subject in binding.each("subjects"):
        kind, name = subject.get("kind"), str(subject.get("name"))
        if kind == "ServiceAccount" and name == "default":
            yield Finding(subject.at("name"), "is the default service account: every pod that names none has the role")
        elif kind in ("Group", "User") and (name == "system:masters" or name.startswith(EVERYBODY)):
            yield Finding(subject.at("name"), f"{name} is everybody, or cannot be taken back")


RULES = (
    Rule(
        id="rbac-wildcards",
        title="A role names what it grants",
        severity=Severity.CRITICAL,
        remediation="name the groups, resources and verbs",
        kinds=ROLES,
        each=rules,
        check=_wildcards,
        covers=("CKV_K8S_49",),
        frameworks=("CIS 5.1.3", NSA),
    ),
    Rule(
        id="rbac-secrets",
        title="No role reads all secrets",
        severity=Severity.CRITICAL,
        remediation="grant get with resourceNames, or mount the secret",
        kinds=ROLES,
        each=rules,
        check=_secrets,
        covers=("CKV2_K8S_5",),
        frameworks=("CIS 5.1.2", NSA),
    ),
    Rule(
        id="rbac-escalation",
        title="No role lets its holder grant himself more",
        severity=Severity.CRITICAL,
        remediation="leave bind, escalate and impersonate out",
        kinds=ROLES,
        each=rules,
        check=_escalation,
        covers=("CKV_K8S_157", "CKV_K8S_158", "CKV2_K8S_3"),
        frameworks=("CIS 5.1.8", NSA),
    ),
    Rule(
        id="rbac-powers",
        title="No role writes what the whole cluster's safety rests on",
        severity=Severity.HIGH,
        remediation="leave the resource out",
        kinds=ROLES,
        each=rules,
        check=_powers,
        covers=("CKV_K8S_155", "CKV_K8S_156"),
        frameworks=("CIS 5.1.9", "CIS 5.1.11", "CIS 5.1.12", "CIS 5.1.13"),
    ),
    Rule(
        id="rbac-shells",
        title="No role leads into running containers",
        severity=Severity.HIGH,
        remediation="leave exec, attach, port-forward and proxy out",
        kinds=ROLES,
        each=rules,
        check=_shells,
        covers=("CKV2_K8S_2",),
        frameworks=("CIS 5.1.10", NSA),
    ),
    Rule(
        id="rbac-create-pods",
        title="No role makes bare pods",
        severity=Severity.MEDIUM,
        remediation="grant the controllers' kinds, such as jobs, instead",
        kinds=ROLES,
        each=rules,
        check=_create_pods,
        frameworks=("CIS 5.1.4",),
    ),
    Rule(
        id="cluster-admin",
        title="Nobody is bound to cluster-admin",
        severity=Severity.CRITICAL,
        remediation="bind a role of what is needed",
        kinds=BINDINGS,
        check=_cluster_admin,
        frameworks=("CIS 5.1.1", NSA),
    ),
    Rule(
        id="binding-subjects",
        title="A role is bound to a service account of its own, never to the default one or to everybody",
        severity=Severity.CRITICAL,
        remediation="name the service account of the workload",
        kinds=BINDINGS,
        check=_subjects,
        covers=("CKV_K8S_42",),
        frameworks=("CIS 5.1.5", "CIS 5.1.7"),
    ),
)
