"""Patroni's settings, held to the same sums as the arguments of the PostgreSQL component."""

from collections.abc import Iterable
from dataclasses import dataclass

from components.kit.errors import Problem
from components.postgres.recovery import worst_case_s
from components.postgres.timing import lock_problems, member_problems
from policies.kit.objects import Object, Stack
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.texts import files, parsed
from policies.kit.values import Fields

ABOUT = ("patroni", "postgres")
LOSSY = {
    "fsync": ("off", "false", "0", "no"),
    "full_page_writes": ("off", "false", "0", "no"),
    "synchronous_commit": ("off", "local", "false", "0", "no"),
}


@dataclass(frozen=True)
class Times:
    """The times of a settings file in seconds, Patroni's defaults where it gives none."""

    ttl_s: int
    loop_wait_s: int
    retry_timeout_s: int
    primary_start_timeout_s: int
    primary_stop_timeout_s: int


DEFAULTS = {
    "ttl": 30,
    "loop_wait": 10,
    "retry_timeout": 10,
    "primary_start_timeout": 300,
    "primary_stop_timeout": 0,
}


def settings(obj: Object) -> Iterable[Fields]:
    """Every set of dynamic settings in a ConfigMap: the whole of a file, or `bootstrap.dcs` in it."""
    for path, text in files(obj, *ABOUT):
        if "loop_wait" in text:
            whole = Fields(parsed(text), path)
            yield from (part for part in (whole, whole.sub("bootstrap", "dcs")) if "loop_wait" in part)


def times(given: Fields) -> Times:
    """The times that the settings come to."""
    return Times(**{f"{key}_s": int(given.get(key, default)) for key, default in DEFAULTS.items()})


def _found(given: Fields, problems: Iterable[Problem]) -> Found:
    for problem in problems:
        key = problem.field.removeprefix("postgres.").removesuffix("_s")
        yield Finding(given.at(key), f"is {problem.value}, must be {problem.rule}")


def _timing(given: Fields, _: Context) -> Found:
    yield from _found(given, lock_problems(times(given)))


def _recovery(given: Fields, context: Context) -> Found:
    target = context.settings["rto_s"]
    worst, case = worst_case_s(times(given))
    if worst > target:
        yield Finding(given.path, f"add up to {worst} s without a primary ({case}), above {target} s")


def _durability(given: Fields, _: Context) -> Found:
    if given.get("synchronous_mode") not in ("quorum", "on", True):
        yield Finding(given.at("synchronous_mode"), "is off: a failover loses acknowledged commits")
    for key, why in (
        ("synchronous_mode_strict", "a primary without standbys acknowledges what only it has"),
        ("failsafe_mode", "an outage of the Kubernetes API stops the primary"),
    ):
        if given.get(key) is not True:
            yield Finding(given.at(key), f"is not true: {why}")


def _parameters(given: Fields, _: Context) -> Found:
    parameters = given.sub("postgresql", "parameters")
    for key, lossy in LOSSY.items():
        if str(parameters.get(key, "on")).lower() in lossy:
            yield Finding(parameters.at(key), "loses acknowledged commits in a crash")


def members(stack: Stack, config: Object) -> list[Object]:
    """The StatefulSets whose pods mount a ConfigMap."""
    return [
        obj
        for obj, template in stack.workloads(config.namespace)
        if obj.kind == "StatefulSet"
        and any(v.sub("configMap").get("name") == config.name for v in template.sub("spec").each("volumes"))
    ]


def _members(given: Fields, context: Context) -> Found:
    standbys = int(given.get("synchronous_node_count", 1))
    for workload in members(context.stack, context.object):
        for problem in member_problems(int(workload.values.dig("spec", "replicas") or 1), standbys):
            where = given.at("synchronous_node_count") if "standbys" in problem.field else given.path
            yield Finding(where, f"{workload.title}: {problem.field} = {problem.value}, must be {problem.rule}")


KINDS = ("ConfigMap",)

RULES = (
    Rule(
        id="patroni-timing",
        title="Patroni's times let a healthy primary keep its lock: ttl >= loop_wait + 2 * retry_timeout",
        severity=Severity.CRITICAL,
        remediation="give the times of the PostgreSQL component: 20, 5, 5, 30 and 30 s",
        kinds=KINDS,
        each=settings,
        check=_timing,
    ),
    Rule(
        id="patroni-recovery",
        title="Patroni's times add up to less than the time that the platform may be without a primary",
        severity=Severity.HIGH,
        remediation="lower ttl, loop_wait or primary_start_timeout",
        kinds=KINDS,
        each=settings,
        check=_recovery,
        settings={"rto_s": Setting(300, "longest time without a primary in s")},
    ),
    Rule(
        id="patroni-durability",
        title="No failover loses an acknowledged commit",
        severity=Severity.CRITICAL,
        remediation="set synchronous_mode: quorum, synchronous_mode_strict: true, failsafe_mode: true",
        kinds=KINDS,
        each=settings,
        check=_durability,
    ),
    Rule(
        id="postgres-durability",
        title="No crash loses an acknowledged commit",
        severity=Severity.CRITICAL,
        remediation="leave the parameter out: its default is safe",
        kinds=KINDS,
        each=settings,
        check=_parameters,
    ),
    Rule(
        id="patroni-members",
        title="There are enough members for commits to go on when one is lost",
        severity=Severity.HIGH,
        remediation="run an odd number of 3 or more, with at most (members - 1) / 2 synchronous standbys",
        kinds=KINDS,
        each=settings,
        check=_members,
        whole_stack=True,
    ),
)
