"""Who may talk to whom: every pod is denied what no policy allows."""

from policies.kit.objects import WORKLOADS, Object, templates
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.selectors import selects
from policies.kit.values import Fields

POLICY = "NetworkPolicy"
DIRECTIONS = {"Ingress": "from", "Egress": "to"}
ANY = ("0.0.0.0/0", "::/0")


def directions(policy: Object) -> set[str]:
    """What a policy is about; where it does not say so, as the API server takes it."""
    spec = policy.values.sub("spec")
    return set(spec.list("policyTypes")) or {"Ingress", *(["Egress"] if spec.list("egress") else [])}


def _coverage(template: Fields, context: Context) -> Found:
    labels = template.sub("metadata", "labels")
    held = {
        direction
        for policy in context.stack.of(POLICY, namespace=context.object.namespace)
        if selects(policy.values.sub("spec", "podSelector"), labels)
        for direction in directions(policy)
    }
    for direction in DIRECTIONS:
        if direction not in held:
            problem = f"are selected by no NetworkPolicy for {direction}, so everything is allowed"
            yield Finding(labels.path, problem)


def _denies(policy: Object, direction: str) -> bool:
    spec = policy.values.sub("spec")
    return not spec.sub("podSelector") and direction in directions(policy) and not spec.list(direction.lower())


def _default_deny(namespace: Fields, context: Context) -> Found:
    name = context.object.name
    if not any(True for _ in context.stack.workloads(name)):
        return
    policies = list(context.stack.of(POLICY, namespace=name))
    for direction in DIRECTIONS:
        if not any(_denies(policy, direction) for policy in policies):
            yield Finding("metadata.name", f"the namespace has no policy that denies {direction} to all of its pods")


def _dangling(policy: Fields, context: Context) -> Found:
    selector = policy.sub("spec", "podSelector")
    workloads = context.stack.workloads(context.object.namespace)
    if not any(selects(selector, template.sub("metadata", "labels")) for _, template in workloads):
        yield Finding(selector.path, "selects no pod of the stack")


def _open(policy: Fields, context: Context) -> Found:
    spec = policy.sub("spec")
    for direction, side in DIRECTIONS.items():
        for rule in spec.each(direction.lower()):
            peers, ports = list(rule.each(side)), rule.list("ports")
            if not peers and not ports:
                yield Finding(rule.path, f"allows all {direction}")
            for peer in peers:
                cidr = peer.sub("ipBlock").get("cidr")
                if cidr in ANY and not (ports and context.settings["any_address"]):
                    yield Finding(peer.at("ipBlock", "cidr"), f"allows {direction} for every address there is")


RULES = (
    Rule(
        id="network-policy-coverage",
        title="Every pod is held by a NetworkPolicy, in both directions",
        severity=Severity.HIGH,
        remediation="declare a NetworkPolicy that selects the pods, with policyTypes Ingress and Egress",
        kinds=WORKLOADS,
        each=templates,
        check=_coverage,
        whole_stack=True,
        covers=("CKV2_K8S_6", "kube-score/pod-networkpolicy"),
        frameworks=("CIS 5.3.2", "NSA network separation"),
    ),
    Rule(
        id="default-deny",
        title="A namespace denies its pods what no policy allows",
        severity=Severity.HIGH,
        remediation="declare a NetworkPolicy with an empty podSelector, both policyTypes and no rule",
        kinds=("Namespace",),
        check=_default_deny,
        whole_stack=True,
        frameworks=("CIS 5.3.2", "NSA network separation"),
    ),
    Rule(
        id="network-policy-selects",
        title="A NetworkPolicy selects pods that are there",
        severity=Severity.MEDIUM,
        remediation="give it the labels of the pods it is meant for",
        kinds=(POLICY,),
        check=_dangling,
        whole_stack=True,
        covers=("kube-score/networkpolicy-targets-pod",),
    ),
    Rule(
        id="network-policy-open",
        title="A NetworkPolicy allows no more than it names",
        severity=Severity.HIGH,
        remediation="name the peers and the ports",
        kinds=(POLICY,),
        check=_open,
        frameworks=("NSA network separation",),
        settings={"any_address": Setting(False, "whether every address may be named together with ports")},
    ),
)
