"""Autoscalers: a range, a target, and nobody else who sets the number of pods."""

from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

HPA = "HorizontalPodAutoscaler"


def _range(hpa: Fields, context: Context) -> Found:
    spec = hpa.sub("spec")
    least, most = spec.get("minReplicas"), spec["maxReplicas"]
    least = 1 if least is None else least
    if least < context.settings["least"]:
        problem = f"is {least:g}, below {context.settings['least']}: a quiet hour ends with one pod or none"
        yield Finding(spec.at("minReplicas"), problem)
    if least >= most:
        yield Finding(spec.at("maxReplicas"), "is not above minReplicas, so nothing ever scales")


def _target(hpa: Fields, context: Context) -> Found:
    reference = hpa.sub("spec", "scaleTargetRef")
    kind, name = str(reference.get("kind")), str(reference.get("name"))
    target = context.stack.find(kind, context.object.namespace, name)
    if target is None:
        yield Finding(reference.at("name"), f"there is no {kind} {name!r} in the stack")
    elif target.values.sub("spec").get("replicas") is not None:
        yield Finding(reference.at("name"), f"{target.title} declares replicas too, so every update undoes the scaling")


RULES = (
    Rule(
        id="autoscaler-range",
        title="An autoscaler has a range, and it begins with more than one pod",
        severity=Severity.MEDIUM,
        remediation="set minReplicas below maxReplicas",
        kinds=(HPA,),
        check=_range,
        covers=("kube-score/horizontalpodautoscaler-replicas",),
        settings={"least": Setting(2, "least minReplicas")},
    ),
    Rule(
        id="autoscaler-target",
        title="An autoscaler has a target of the stack, and nobody else sets its number of pods",
        severity=Severity.HIGH,
        remediation="name a workload of the stack, and leave its spec.replicas out",
        kinds=(HPA,),
        check=_target,
        whole_stack=True,
        covers=(
            "kube-score/horizontalpodautoscaler-has-target",
            "kube-score/deployment-targeted-by-hpa-does-not-have-replicas-configured",
        ),
    ),
)
