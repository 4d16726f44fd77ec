"""Redis and Sentinel, held to the same sums as the arguments of the Redis component."""

from collections.abc import Iterable
from typing import NamedTuple

from components.kit.errors import Problem
from components.redis.timing import failover_problems, maxmemory_problems, voter_problems
from policies.kit.objects import WORKLOADS, Object, containers
from policies.kit.quantities import MIB, quantity
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.texts import files
from policies.kit.values import Fields

ABOUT = ("redis", "sentinel")
UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
DEFAULT_DOWN_AFTER_MS, DEFAULT_FAILOVER_TIMEOUT_MS = 30_000, 180_000


def directives(text: str) -> dict[str, str]:
    """The directives of a configuration file: name (`appendonly`, `sentinel down-after-milliseconds`) to value."""
    found = {}
    for line in text.splitlines():
        match line.split():
            case [] | ["#", *_]:
                continue
            case ["sentinel", name, _master, *values]:
                found[f"sentinel {name}"] = " ".join(values)
            case [name, *values]:
                found[name.lower()] = " ".join(values)
    return found


def _configurations(obj: Object, mark: str) -> Iterable[Fields]:
    for path, text in files(obj, *ABOUT):
        if mark in text and mark in (given := directives(text)):
            yield Fields(given, path)


def servers(obj: Object) -> Iterable[Fields]:
    """The configuration files of data nodes in a ConfigMap."""
    return _configurations(obj, "maxmemory")


def sentinels(obj: Object) -> Iterable[Fields]:
    """The configuration files of Sentinels in a ConfigMap."""
    return _configurations(obj, "sentinel down-after-milliseconds")


def _durability(given: Fields, _: Context) -> Found:
    if given.get("appendonly") != "yes":
        yield Finding(given.at("appendonly"), "is not yes: a restart loses what the last snapshot does not hold")
    if int(given.get("min-replicas-to-write") or 0) < 1:
        yield Finding(given.at("min-replicas-to-write"), "is below 1: a master that was cut off goes on taking writes")


def _found(given: Fields, names: dict[str, str], problems: Iterable[Problem]) -> Found:
    for problem in problems:
        yield Finding(given.at(names.get(problem.field, problem.field)), f"is {problem.value}, must be {problem.rule}")


def _failover(given: Fields, context: Context) -> Found:
    names = {
        "redis.down_after_ms": "sentinel down-after-milliseconds",
        "redis.failover_timeout_ms": "sentinel failover-timeout",
        "redis.rto_target_s": "sentinel failover-timeout",
    }
    down_after = int(given.get(names["redis.down_after_ms"]) or DEFAULT_DOWN_AFTER_MS)
    timeout = int(given.get(names["redis.failover_timeout_ms"]) or DEFAULT_FAILOVER_TIMEOUT_MS)
    yield from _found(given, names, failover_problems(down_after, timeout, context.settings["rto_s"]))


class Voters(NamedTuple):
    """What a container of the Redis component is told of the Sentinels, by the names of its environment."""

    sentinels: str = "REDIS_SENTINELS"
    quorum: str = "REDIS_QUORUM"


def _quorum(container: Fields, _: Context) -> Found:
    told = {str(v["name"]): v for v in container.each("env") if v.get("name") in Voters()}
    if set(told) != set(Voters()):
        return
    counts = [int(told[name]["value"]) for name in Voters()]
    for problem in voter_problems(counts[0], counts[1]):
        name = Voters().quorum if problem.field == "redis.quorum" else Voters().sentinels
        yield Finding(told[name].at("value"), f"is {problem.value}, must be {problem.rule}")


def _memory(given: Fields, context: Context) -> Found:
    """Data nodes and Sentinels may mount one ConfigMap; the largest limit among their containers is a data node's."""
    text = str(given["maxmemory"]).lower()
    number = text.rstrip("bgkm")
    maxmemory_mib = int(number) * UNITS[text[len(number) :]] // MIB
    limits = [
        quantity(limit) / MIB
        for obj, template in context.stack.workloads(context.object.namespace)
        if any(v.sub("configMap").get("name") == context.object.name for v in template.sub("spec").each("volumes"))
        for container in containers(obj)
        if (limit := container.dig("resources", "limits", "memory")) is not None
    ]
    if limits:
        for problem in maxmemory_problems(maxmemory_mib, int(max(limits))):
            yield Finding(given.at("maxmemory"), f"is {problem.value} MiB, must be {problem.rule}")


RULES = (
    Rule(
        id="redis-durability",
        title="Redis writes to disk, and takes no write that no replica will see",
        severity=Severity.HIGH,
        remediation="set appendonly yes and min-replicas-to-write 1",
        kinds=("ConfigMap",),
        each=servers,
        check=_durability,
    ),
    Rule(
        id="redis-memory",
        title="Redis leaves memory for snapshots and replicas",
        severity=Severity.HIGH,
        remediation="lower maxmemory, or raise the container's memory limit",
        kinds=("ConfigMap",),
        each=servers,
        check=_memory,
        whole_stack=True,
    ),
    Rule(
        id="sentinel-failover",
        title="Sentinel fails over neither too soon nor too late",
        severity=Severity.HIGH,
        remediation="give the times of the Redis component: 4000 and 10000 ms",
        kinds=("ConfigMap",),
        each=sentinels,
        check=_failover,
        settings={"rto_s": Setting(30, "longest time without a master in s")},
    ),
    Rule(
        id="sentinel-quorum",
        title="An odd number of Sentinels, and more than half of them agree on a failover",
        severity=Severity.CRITICAL,
        remediation="run 3 Sentinels with a quorum of 2",
        kinds=WORKLOADS,
        each=containers,
        check=_quorum,
    ),
)
