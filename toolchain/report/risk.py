"""How bad is a change, and why: one rule a kind. Pure.

A kind or an operation that no rule knows is taken for dangerous, and the reason says that no rule knows it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from toolchain.report import credentials, objects, settings, workloads
from toolchain.report.context import Context
from toolchain.report.model import Level, Risk
from toolchain.report.steps import PASSWORD, Step
from toolchain.report.values import Difference

Update = Callable[[Step, Sequence[Difference], Context], Risk]
Whole = Callable[[Step, Context], Risk]


def fixed(level: Level, reason: str, *, gated: bool = False) -> Whole:
    """A rule that says the same of every object."""
    return lambda _step, _context: Risk(level, reason, gated)


NEW = fixed(Level.SAFE, "new: nothing uses it yet")


class Rules(NamedTuple):
    """The rules of a kind.

    Attributes:
        gone: for a deletion, and for a replacement where there is no rule of its own.
    """

    update: Update
    gone: Whole
    replace: Whole | None = None
    create: Whole = NEW


def keeps(reason: str) -> Whole:
    """A kind whose deletion takes nothing that anybody needs."""
    return fixed(Level.SAFE, reason)


RIGHTS = Rules(objects.rights, fixed(Level.DOWNTIME, "rights go with it: who needs them fails at once"))
JOBS = Rules(workloads.job, fixed(Level.DOWNTIME, "what it did does not happen any more"))
DATA = "what is stored on it is lost unless the volume is retained"

RULES: Mapping[str, Rules] = {
    "apps/Deployment": Rules(
        workloads.deployment,
        fixed(Level.DOWNTIME, "nothing of it runs any more"),
        fixed(Level.DOWNTIME, "all pods stop before new ones start: the object is deleted and made anew"),
    ),
    "apps/StatefulSet": Rules(workloads.stateful_set, workloads.replaced_stateful_set),
    "apps/DaemonSet": Rules(workloads.daemon_set, fixed(Level.DOWNTIME, "its pods stop on all nodes")),
    "batch/CronJob": JOBS,
    "batch/Job": Rules(
        workloads.job,
        fixed(Level.SAFE, "its pods and their logs are removed"),
        fixed(Level.ROLLING_RESTART, "it runs once more, from its beginning"),
    ),
    "core/ConfigMap": Rules(settings.config_map, settings.replaced_config_map),
    "core/Secret": Rules(settings.secret, settings.replaced_secret),
    "core/Service": Rules(objects.service, objects.replaced_service),
    "core/ServiceAccount": Rules(
        objects.account, fixed(Level.DOWNTIME, "tokens of its pods become invalid, and new pods do not start")
    ),
    "core/Namespace": Rules(objects.namespace, fixed(Level.DATA_LOSS, "everything in it is deleted")),
    "core/PersistentVolumeClaim": Rules(objects.claim, fixed(Level.DATA_LOSS, DATA)),
    "core/PersistentVolume": Rules(objects.claim, fixed(Level.DATA_LOSS, DATA)),
    "core/ResourceQuota": Rules(objects.quota, keeps("limits fall away; the namespace may use more")),
    "core/LimitRange": Rules(
        objects.new_pods_only, fixed(Level.DOWNTIME, "pods that rely on its defaults may not start any more")
    ),
    "policy/PodDisruptionBudget": Rules(
        objects.budget, fixed(Level.DOWNTIME, "a drain may stop all of its pods at once")
    ),
    "autoscaling/HorizontalPodAutoscaler": Rules(
        objects.autoscaler, fixed(Level.ROLLING_RESTART, "the number of pods stays where it is")
    ),
    "networking/NetworkPolicy": Rules(
        objects.network_policy,
        fixed(Level.DOWNTIME, "what it allowed is denied where others deny, what it denied is open"),
        create=objects.created_network_policy,
    ),
    "networking/Ingress": Rules(objects.routing, fixed(Level.DOWNTIME, "not reached from outside any more")),
    "rbac/Role": RIGHTS,
    "rbac/RoleBinding": RIGHTS,
    "rbac/ClusterRole": RIGHTS,
    "rbac/ClusterRoleBinding": RIGHTS,
    "scheduling/PriorityClass": Rules(objects.new_pods_only, keeps("pods that run keep their priority")),
    "storage/StorageClass": Rules(objects.new_pods_only, keeps("volumes that exist stay; new ones of it are not made")),
    PASSWORD: Rules(
        lambda _step, _changed, _context: Risk(Level.SAFE, "the password itself stays"),
        fixed(Level.DOWNTIME, "the password is forgotten: nobody can be given it again", gated=True),
        credentials.replaced_password,
    ),
}


def classify(step: Step, changed: Sequence[Difference], context: Context) -> Risk:
    """The risk of one step that is not `same`; what may lose data is gated, whatever its rule says of that.

    Args:
        step: what happens.
        changed: what differs between its two states.
        context: the whole plan.
    """
    found = _by_rule(step, changed, context)
    return found._replace(gated=found.gated or found.level == Level.DATA_LOSS)


def _by_rule(step: Step, changed: Sequence[Difference], context: Context) -> Risk:
    if step.is_provider:
        return _provider(step, changed)
    rules = RULES.get(step.rule)
    if rules is None:
        return _unknown(step)
    if step.operation == "create":
        return rules.create(step, context)
    if step.operation == "update":
        return rules.update(step, changed, context)
    if step.operation == "replace" and rules.replace is not None:
        return rules.replace(step, context)
    return rules.gone(step, context)


def _provider(step: Step, changed: Sequence[Difference]) -> Risk:
    if step.operation in ("replace", "delete"):
        return Risk(Level.DATA_LOSS, "another cluster: everything of the stack is made anew there")
    if any(d.path[0] in ("kubeconfig", "context", "cluster") for d in changed):
        return Risk(Level.SAFE, "another kubeconfig or context: make sure that it names the same cluster")
    return Risk(Level.SAFE, "settings of the engine; no object is touched by them alone")


def _unknown(step: Step) -> Risk:
    reason = f"no rule for this kind ({step.type})"
    if step.operation in ("replace", "delete"):
        return Risk(Level.DATA_LOSS, reason)
    return Risk(Level.DOWNTIME, reason)
