"""How many API pods there are: a fixed number, or as many as their CPU asks for. Pure."""

from dataclasses import dataclass

from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscalerBehaviorArgs,
    HorizontalPodAutoscalerSpecArgs,
    HPAScalingPolicyArgs,
    HPAScalingRulesArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)

from components.kit.errors import Problem
from components.kit.rules import at_least, at_most

FIELD = "trading.api_autoscaling"
MIN_REPLICAS = 2  # one that is busy and about to be drained is an outage
MAX_SCALE_DOWN_S = 3600  # the API server refuses more
SCALE_DOWN_EVERY_S = 60


@dataclass(frozen=True, kw_only=True)
class Autoscaling:
    """Bounds of the number of API pods; the lower one is the component's `api_replicas`.

    Attributes:
        max_replicas: the most pods.
        target_cpu_percent: mean CPU use of the pods, as a part of their request, that the number is chosen for.
        scale_down_s: how long fewer pods must have been enough before one goes; then one a minute. 300 is Kubernetes'
            own default.
    """

    max_replicas: int
    target_cpu_percent: int = 70
    scale_down_s: int = 300


def problems(scaling: Autoscaling, api_replicas: int) -> list[Problem]:
    """Problems of the bounds."""
    found = at_least("trading.api_replicas", api_replicas, MIN_REPLICAS, "pods", f"the fewest, with {FIELD}")
    found += at_least(
        f"{FIELD}.max_replicas", scaling.max_replicas, api_replicas + 1, "pods", "more than trading.api_replicas"
    )
    found += at_least(f"{FIELD}.target_cpu_percent", scaling.target_cpu_percent, 10, "% of the CPU request")
    found += at_most(f"{FIELD}.target_cpu_percent", scaling.target_cpu_percent, 100, "% of the CPU request")
    found += at_least(f"{FIELD}.scale_down_s", scaling.scale_down_s, 0, "s")
    return found + at_most(f"{FIELD}.scale_down_s", scaling.scale_down_s, MAX_SCALE_DOWN_S, "s", "Kubernetes' limit")


def autoscaler(deployment: str, api_replicas: int, scaling: Autoscaling) -> HorizontalPodAutoscalerSpecArgs:
    """The autoscaler of a Deployment, which then must not declare a number of its own.

    Up as fast as Kubernetes does by default, down slowly. Without a metrics server the lower bound is kept and nothing
    else happens.
    """
    cpu = MetricTargetArgs(type="Utilization", average_utilization=scaling.target_cpu_percent)
    slowly = HPAScalingRulesArgs(
        stabilization_window_seconds=scaling.scale_down_s,
        policies=[HPAScalingPolicyArgs(type="Pods", value=1, period_seconds=SCALE_DOWN_EVERY_S)],
    )
    return HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=deployment),
        min_replicas=api_replicas,
        max_replicas=scaling.max_replicas,
        metrics=[MetricSpecArgs(type="Resource", resource=ResourceMetricSourceArgs(name="cpu", target=cpu))],
        behavior=HorizontalPodAutoscalerBehaviorArgs(scale_down=slowly),
    )
