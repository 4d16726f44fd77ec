"""Service accounts: each workload has its own, and only those with a role have a token."""

from policies.kit.objects import WORKLOADS, Stack, pods
from policies.kit.rule import Context, Finding, Found, Rule, Severity
from policies.kit.values import Fields
from policies.rules.rbac import BINDINGS


def account_of(pod: Fields) -> str:
    """The name of a pod's service account."""
    return str(pod.get("serviceAccountName") or pod.get("serviceAccount") or "default")


def _default(pod: Fields, _: Context) -> Found:
    if account_of(pod) == "default":
        problem = "is the default account: what is granted to it is granted to every pod that names none"
        yield Finding(pod.at("serviceAccountName"), problem)


def _automount(account: Fields, _: Context) -> Found:
    if account.get("automountServiceAccountToken") is not False:
        yield Finding("automountServiceAccountToken", "is not false, so pods get a token unasked")


def has_role(stack: Stack, namespace: str, account: str) -> bool:
    """Whether any binding of the stack gives a service account a role."""
    return any(
        (subject.get("kind"), subject.get("name")) == ("ServiceAccount", account)
        and subject.get("namespace") in (None, namespace)
        for binding in stack.of(*BINDINGS)
        for subject in binding.values.each("subjects")
    )


def _mounted(pod: Fields, stack: Stack, namespace: str) -> str | None:
    """The path by which a token gets into the pod; None when none does."""
    for volume in pod.each("volumes"):
        for source in volume.sub("projected").each("sources"):
            if "serviceAccountToken" in source:
                return source.at("serviceAccountToken")
    own = pod.get("automountServiceAccountToken")
    if own is None:
        account = stack.find("ServiceAccount", namespace, account_of(pod))
        own = account.values.get("automountServiceAccountToken") if account else None
    return None if own is False else pod.at("automountServiceAccountToken")


def _token(pod: Fields, context: Context) -> Found:
    namespace = context.object.namespace
    path = _mounted(pod, context.stack, namespace)
    if path and not has_role(context.stack, namespace, account_of(pod)):
        yield Finding(path, "gives the pod a token that no role belongs to: it has no use but for an attacker")


RULES = (
    Rule(
        id="default-account",
        title="A workload has a service account of its own",
        severity=Severity.MEDIUM,
        remediation="declare a ServiceAccount, and name it in serviceAccountName",
        kinds=WORKLOADS,
        each=pods,
        check=_default,
        covers=("CKV_K8S_41",),
        frameworks=("CIS 5.1.5",),
    ),
    Rule(
        id="account-automount",
        title="A service account hands out no tokens by itself",
        severity=Severity.MEDIUM,
        remediation="set automountServiceAccountToken: false on the ServiceAccount",
        kinds=("ServiceAccount",),
        check=_automount,
        frameworks=("CIS 5.1.6",),
    ),
    Rule(
        id="account-token",
        title="Only pods with a role have a token",
        severity=Severity.HIGH,
        remediation="set automountServiceAccountToken: false, or bind a role to the account",
        kinds=WORKLOADS,
        each=pods,
        check=_token,
        whole_stack=True,
        covers=("CKV_K8S_38",),
        frameworks=("CIS 5.1.6", "NSA pod security"),
    ),
)
