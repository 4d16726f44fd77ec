"""Disruption budgets: every replicated workload has one, and none blocks a drain for ever."""

from policies.kit.objects import REPLICATED, Object, Stack, replicas, templates
from policies.kit.rule import Context, Finding, Found, Rule, Severity
from policies.kit.selectors import selects
from policies.kit.values import Fields

BUDGET = "PodDisruptionBudget"


def covered(budget: Object, stack: Stack) -> list[Object]:
    """The workloads whose pods a budget selects."""
    selector = budget.values.sub("spec", "selector")
    workloads = stack.workloads(budget.namespace)
    return [obj for obj, template in workloads if selects(selector, template.sub("metadata", "labels"))]


def _coverage(template: Fields, context: Context) -> Found:
    if replicas(context.object) < 2:
        return
    labels = template.sub("metadata", "labels")
    budgets = [
        budget.name
        for budget in context.stack.of(BUDGET, namespace=context.object.namespace)
        if selects(budget.values.sub("spec", "selector"), labels)
    ]
    if not budgets:
        yield Finding(labels.path, "are selected by no PodDisruptionBudget, so a drain may take all pods at once")
    elif len(budgets) > 1:
        yield Finding(labels.path, f"are selected by {', '.join(budgets)}: with two budgets no pod is ever evicted")


def _blocking(budget: Fields, context: Context) -> Found:
    spec = budget.sub("spec")
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is None and least is None:
        yield Finding(spec.path, "has neither maxUnavailable nor minAvailable, and then no pod may go")
    if most in (0, "0", "0%"):
        yield Finding(spec.at("maxUnavailable"), "is 0: no node of these pods can ever be drained")
    if least == "100%":
        yield Finding(spec.at("minAvailable"), "is 100%: no node of these pods can ever be drained")
    if isinstance(least, int | float):
        for obj in covered(context.object, context.stack):
            if obj.kind in REPLICATED and replicas(obj) <= least:
                yield Finding(spec.at("minAvailable"), f"is all {replicas(obj)} pods of {obj.title}")


def _dangling(budget: Fields, context: Context) -> Found:
    if not covered(context.object, context.stack):
        yield Finding(budget.at("spec", "selector"), "selects no pod of the stack")


RULES = (
    Rule(
        id="budget-coverage",
        title="Every replicated workload has one disruption budget",
        severity=Severity.HIGH,
        remediation="declare one PodDisruptionBudget over the workload's pods",
        kinds=REPLICATED,
        each=templates,
        check=_coverage,
        whole_stack=True,
        covers=("kube-score/deployment-has-poddisruptionbudget", "kube-score/statefulset-has-poddisruptionbudget"),
    ),
    Rule(
        id="budget-blocks",
        title="A disruption budget lets one pod go",
        severity=Severity.HIGH,
        remediation="set maxUnavailable: 1",
        kinds=(BUDGET,),
        check=_blocking,
        whole_stack=True,
        covers=("kube-score/poddisruptionbudget-has-policy",),
    ),
    Rule(
        id="budget-selects",
        title="A disruption budget selects pods that are there",
        severity=Severity.MEDIUM,
        remediation="give it the labels of the workload's pods",
        kinds=(BUDGET,),
        check=_dangling,
        whole_stack=True,
    ),
)
