"""How many pods, where they go, and how they are replaced."""

from policies.kit.objects import REPLICATED, Object, Stack, replicas, templates
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.selectors import selects
from policies.kit.values import Fields

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


def autoscaler(stack: Stack, obj: Object) -> Object | None:
    """The HorizontalPodAutoscaler of a workload."""
    for hpa in stack.of("HorizontalPodAutoscaler", namespace=obj.namespace):
        target = hpa.values.sub("spec", "scaleTargetRef")
        if (target.get("kind"), target.get("name")) == (obj.kind, obj.name):
            return hpa
    return None


def _bare(_: Fields, context: Context) -> Found:
    if not context.object.values.list("metadata", "ownerReferences"):
        yield Finding("kind", f"a {context.object.kind} by itself is not replaced, or not updated, by anybody")


def _minimum(workload: Fields, context: Context) -> Found:
    obj = context.object
    least = context.settings[obj.kind.lower()]
    if replicas(obj) < least and autoscaler(context.stack, obj) is None:
        yield Finding("spec.replicas", f"{replicas(obj)} of at least {least}: the loss of one pod stops the service")


def _strategy(workload: Fields, context: Context) -> Found:
    field = "updateStrategy" if context.object.kind in ("DaemonSet", "StatefulSet") else "strategy"
    strategy = workload.sub("spec", field)
    kind = strategy.get("type") or "RollingUpdate"
    if kind != "RollingUpdate":
        yield Finding(strategy.at("type"), f"is {kind}: an update is an outage, or never comes")
    elif strategy.sub("rollingUpdate").get("maxUnavailable") == "100%":
        yield Finding(strategy.at("rollingUpdate", "maxUnavailable"), "is 100%: an update takes all pods at once")


def _apart(template: Fields, context: Context) -> Found:
    """Hard for members of a store, because two members that die together are one; a wish is enough for the rest."""
    if replicas(context.object) < 2:
        return
    labels, pod = template.sub("metadata", "labels"), template.sub("spec")
    rule = pod.sub("affinity", "podAntiAffinity")
    terms = list(rule.each("requiredDuringSchedulingIgnoredDuringExecution"))
    if context.object.kind != "StatefulSet":
        wishes = rule.each("preferredDuringSchedulingIgnoredDuringExecution")
        terms += [wish.sub("podAffinityTerm") for wish in wishes]
    apart = any(t.get("topologyKey") == HOSTNAME and selects(t.sub("labelSelector"), labels) for t in terms)
    if not apart and not _spread_over(HOSTNAME, template, hard=context.object.kind == "StatefulSet"):
        yield Finding(rule.path, "keeps no two pods off the same node, so the loss of one node may take all of them")


def _spread_over(key: str, template: Fields, *, hard: bool) -> bool:
    labels = template.sub("metadata", "labels")
    return any(
        constraint.get("topologyKey") == key
        and (not hard or constraint.get("whenUnsatisfiable") != "ScheduleAnyway")
        and selects(constraint.sub("labelSelector"), labels)
        for constraint in template.sub("spec").each("topologySpreadConstraints")
    )


def _zones(template: Fields, context: Context) -> Found:
    if replicas(context.object) > 1 and not _spread_over(ZONE, template, hard=False):
        yield Finding(template.at("spec", "topologySpreadConstraints"), "spreads no pods over the zones")


def _selector(workload: Fields, context: Context) -> Found:
    selector = workload.sub("spec", "selector")
    for template in templates(context.object):
        if not selector:
            yield Finding(selector.path, "is not set")
        elif not selects(selector, template.sub("metadata", "labels")):
            yield Finding(selector.path, "does not select the pods of its own template")


def _governing(workload: Fields, context: Context) -> Found:
    name = workload.sub("spec").get("serviceName")
    service = context.stack.find("Service", context.object.namespace, str(name)) if name else None
    path = workload.at("spec", "serviceName")
    if service is None:
        yield Finding(path, "names no Service of the stack, so the pods have no names of their own")
    elif service.values.sub("spec").get("clusterIP") != "None":
        yield Finding(path, "names a Service that is not headless, so the pods have no names of their own")


RULES = (
    Rule(
        id="bare-pod",
        title="Pods belong to a Deployment, StatefulSet, DaemonSet or Job",
        severity=Severity.HIGH,
        remediation="declare a Deployment, StatefulSet or Job",
        kinds=("Pod", "ReplicaSet", "ReplicationController"),
        check=_bare,
    ),
    Rule(
        id="replica-minimum",
        title="A service outlives the loss of one pod",
        severity=Severity.HIGH,
        remediation="raise spec.replicas, or waive it where one pod is right",
        kinds=REPLICATED,
        check=_minimum,
        whole_stack=True,
        covers=("kube-score/deployment-replicas",),
        settings={
            "deployment": Setting(2, "least pods of a Deployment"),
            "statefulset": Setting(3, "least pods of a StatefulSet"),
        },
    ),
    Rule(
        id="update-strategy",
        title="An update replaces pods one after another",
        severity=Severity.MEDIUM,
        remediation="set RollingUpdate, or waive it where two versions must not run at once",
        kinds=("DaemonSet", "Deployment", "StatefulSet"),
        check=_strategy,
        covers=("kube-score/deployment-strategy",),
    ),
    Rule(
        id="anti-affinity",
        title="Pods of one workload stay off each other's nodes",
        severity=Severity.HIGH,
        remediation=f"add a podAntiAffinity over {HOSTNAME} that selects the workload's own pods",
        kinds=REPLICATED,
        each=templates,
        check=_apart,
        covers=("kube-score/deployment-has-host-podantiaffinity", "kube-score/statefulset-has-host-podantiaffinity"),
    ),
    Rule(
        id="zone-spread",
        title="Pods of one workload are spread over the zones",
        severity=Severity.MEDIUM,
        remediation=f"add a topologySpreadConstraint over {ZONE} that selects the workload's own pods",
        kinds=REPLICATED,
        each=templates,
        check=_zones,
        covers=("kube-score/pod-topology-spread-constraints",),
    ),
    Rule(
        id="selector-matches",
        title="A workload selects the pods of its own template",
        severity=Severity.HIGH,
        remediation="give the template the labels that spec.selector asks for",
        kinds=("DaemonSet", "Deployment", "StatefulSet"),
        check=_selector,
        covers=(
            "kube-score/deployment-pod-selector-labels-match-template-metadata-labels",
            "kube-score/statefulset-pod-selector-labels-match-template-metadata-labels",
        ),
    ),
    Rule(
        id="statefulset-service",
        title="A StatefulSet has a headless Service, which gives its pods their names",
        severity=Severity.HIGH,
        remediation="declare a Service with clusterIP: None, and name it in spec.serviceName",
        kinds=("StatefulSet",),
        check=_governing,
        whole_stack=True,
        covers=("kube-score/statefulset-has-servicename",),
    ),
)
