"""What every object says of itself, and where it may stand."""

import json

from policies.kit.objects import WORKLOADS
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields, plain

SYSTEM = ("default", "kube-node-lease", "kube-public", "kube-system")
ENFORCE = "pod-security.kubernetes.io/enforce"
SKIP_AWAIT, PATCH_FORCE = "pulumi.com/skipAwait", "pulumi.com/patchForce"
REASON = "policies.trading/skip-await-reason"


def _labels(_: Fields, context: Context) -> Found:
    labels = context.object.labels
    for key in context.settings["keys"]:
        if not labels.get(key):
            yield Finding(labels.at(key), "is not set")


def _owner(_: Fields, context: Context) -> Found:
    key = context.settings["key"]
    if key and not (context.object.labels.get(key) or context.object.annotations.get(key)):
        yield Finding(context.object.labels.at(key), "is set neither as a label nor as an annotation")


def _system_namespace(_: Fields, context: Context) -> Found:
    if context.object.namespace in SYSTEM:
        yield Finding("metadata.namespace", f"is {context.object.namespace!r}")


def _pod_security(_: Fields, context: Context) -> Found:
    labels, level = context.object.labels, context.settings["level"]
    if labels.get(ENFORCE) != level:
        yield Finding(labels.at(ENFORCE), f"is not {level!r}, so the API server lets other pods in")


def _skip_await(_: Fields, context: Context) -> Found:
    notes = context.object.annotations
    if str(notes.get(SKIP_AWAIT)).lower() == "true" and not notes.get(REASON):
        yield Finding(notes.at(SKIP_AWAIT), f"without {REASON}: an update is called done before anything runs")


def _patch_force(_: Fields, context: Context) -> Found:
    if str(context.object.annotations.get(PATCH_FORCE)).lower() == "true":
        yield Finding(context.object.annotations.at(PATCH_FORCE), "takes fields from whoever else manages them")


def _size(config: Fields, context: Context) -> Found:
    size = sum(len(json.dumps(plain(config.get(field) or {}))) for field in ("data", "binaryData"))
    if size > context.settings["max_kib"] * 1024:
        yield Finding("data", f"is {size // 1024} KiB, above {context.settings['max_kib']}; the API takes 1024 in all")


def _quota(_: Fields, context: Context) -> Found:
    yield from _has("ResourceQuota", "may ask for the whole cluster", context)


def _limit_range(_: Fields, context: Context) -> Found:
    yield from _has("LimitRange", "lets a pod without requests in", context)


def _has(kind: str, without: str, context: Context) -> Found:
    name = context.object.name
    pods = any(True for _ in context.stack.workloads(name))
    if pods and not any(True for _ in context.stack.of(kind, namespace=name)):
        yield Finding("metadata.name", f"the namespace has no {kind} and {without}")


def _unique(_: Fields, context: Context) -> Found:
    own = context.object
    same = [obj for obj in context.stack.of(own.kind, namespace=own.namespace) if obj.group == own.group]
    if sum(obj.name == own.name for obj in same) > 1:
        yield Finding("metadata.name", "another object of the stack has the same name, and the later one wins")


RULES = (
    Rule(
        id="required-labels",
        title="Every object carries the recommended labels",
        severity=Severity.LOW,
        remediation="set the label",
        kinds=(),
        check=_labels,
        settings={
            "keys": Setting(
                ("app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"),
                "labels that must be there",
            )
        },
    ),
    Rule(
        id="namespace-owner",
        title="Every namespace says who answers for it",
        severity=Severity.LOW,
        remediation="set the label or annotation",
        kinds=("Namespace",),
        check=_owner,
        settings={"key": Setting("", "label or annotation that names the owner; empty asks for none")},
    ),
    Rule(
        id="system-namespace",
        title="Nothing runs in default or in the system's namespaces",
        severity=Severity.HIGH,
        remediation="set metadata.namespace to a namespace of its own",
        kinds=WORKLOADS,
        check=_system_namespace,
        covers=("CKV_K8S_21",),
        frameworks=("CIS 5.7.1", "CIS 5.7.4"),
    ),
    Rule(
        id="namespace-pod-security",
        title="A namespace makes the API server enforce Pod Security",
        severity=Severity.HIGH,
        remediation=f"label it {ENFORCE}: restricted",
        kinds=("Namespace",),
        check=_pod_security,
        frameworks=("PSS restricted", "CIS 5.2.1"),
        settings={"level": Setting("restricted", "level that is enforced")},
    ),
    Rule(
        id="namespace-quota",
        title="A namespace with pods has a ResourceQuota",
        severity=Severity.MEDIUM,
        remediation="declare a ResourceQuota in it",
        kinds=("Namespace",),
        check=_quota,
        whole_stack=True,
        frameworks=("NSA network separation",),
    ),
    Rule(
        id="namespace-limits",
        title="A namespace with pods has a LimitRange",
        severity=Severity.LOW,
        remediation="declare a LimitRange with default requests in it",
        kinds=("Namespace",),
        check=_limit_range,
        whole_stack=True,
        frameworks=("NSA network separation",),
    ),
    Rule(
        id="unique-objects",
        title="No two resources declare the same object",
        severity=Severity.HIGH,
        remediation="give one of them another name",
        kinds=(),
        check=_unique,
        whole_stack=True,
    ),
    Rule(
        id="configmap-size",
        title="A ConfigMap stays well below what the API takes",
        severity=Severity.MEDIUM,
        remediation="split it, or put the files into the image",
        kinds=("ConfigMap",),
        check=_size,
        settings={"max_kib": Setting(512, "largest data in KiB")},
    ),
    Rule(
        id="skip-await",
        title="Who does not wait for an object says why",
        severity=Severity.MEDIUM,
        remediation=f"leave {SKIP_AWAIT} out, or give {REASON}",
        kinds=(),
        check=_skip_await,
    ),
    Rule(
        id="patch-force",
        title="No object takes fields by force",
        severity=Severity.MEDIUM,
        remediation=f"leave {PATCH_FORCE} out, and drop the field that somebody else manages",
        kinds=(),
        check=_patch_force,
    ),
)
