"""Volumes that outlive pods."""

from collections.abc import Iterable

from policies.kit.objects import Object
from policies.kit.quantities import GIB, quantity
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

KINDS = ("PersistentVolumeClaim", "StatefulSet")


def claims(obj: Object) -> Iterable[Fields]:
    """The spec of a claim, or of each claim that a StatefulSet makes."""
    if obj.kind == "PersistentVolumeClaim":
        return [obj.values.sub("spec")]
    return [template.sub("spec") for template in obj.values.sub("spec").each("volumeClaimTemplates")]


def _storage_class(claim: Fields, context: Context) -> Found:
    name, allowed = claim.get("storageClassName"), context.settings["allowed"]
    if not name:
        if context.settings["required"]:
            yield Finding(claim.at("storageClassName"), "is not set: the cluster's default can change under the data")
    elif allowed and name not in allowed:
        yield Finding(claim.at("storageClassName"), f"is {name!r}, not one of {', '.join(allowed)}")


def _size(claim: Fields, context: Context) -> Found:
    least, most = context.settings["min_gib"], context.settings["max_gib"]
    asked = claim.sub("resources", "requests").get("storage")
    path = claim.at("resources", "requests", "storage")
    if asked is None:
        yield Finding(path, "is not set")
    elif not least <= quantity(asked) / GIB <= most:
        yield Finding(path, f"is {asked}, not between {least} and {most} GiB")


def _access(claim: Fields, context: Context) -> Found:
    for mode in claim.list("accessModes"):
        if mode not in context.settings["allowed"]:
            yield Finding(claim.at("accessModes"), f"has {mode}: two pods would write the same files")


def _retention(workload: Fields, context: Context) -> Found:
    if not workload.sub("spec").list("volumeClaimTemplates"):
        return
    policy = workload.sub("spec", "persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled"):
        kept = policy.get(field)
        if kept is None:
            yield Finding(policy.at(field), "is not set: whether data outlives its workload is for the author to say")
        elif kept != "Retain" and not context.settings["may_delete"]:
            yield Finding(policy.at(field), f"is {kept}: the data goes with the workload")


RULES = (
    Rule(
        id="storage-class",
        title="A claim names its storage class",
        severity=Severity.MEDIUM,
        remediation="set storageClassName",
        kinds=KINDS,
        each=claims,
        check=_storage_class,
        settings={
            "required": Setting(True, "whether the cluster's default class is refused"),
            "allowed": Setting((), "classes that may be named; none allows all"),
        },
    ),
    Rule(
        id="storage-size",
        title="A claim asks for a size in bounds",
        severity=Severity.LOW,
        remediation="set resources.requests.storage within the bounds, or move them in the configuration",
        kinds=KINDS,
        each=claims,
        check=_size,
        settings={
            "min_gib": Setting(1, "smallest claim in GiB"),
            "max_gib": Setting(4096, "largest claim in GiB"),
        },
    ),
    Rule(
        id="access-mode",
        title="One pod at a time writes to a volume",
        severity=Severity.MEDIUM,
        remediation="set accessModes: [ReadWriteOnce]",
        kinds=KINDS,
        each=claims,
        check=_access,
        settings={"allowed": Setting(("ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany"), "access modes")},
    ),
    Rule(
        id="volume-retention",
        title="Data outlives its StatefulSet",
        severity=Severity.HIGH,
        remediation="set persistentVolumeClaimRetentionPolicy to Retain, for deletion and for scaling",
        kinds=("StatefulSet",),
        check=_retention,
        settings={"may_delete": Setting(False, "whether volumes may go with their workload")},
    ),
)
