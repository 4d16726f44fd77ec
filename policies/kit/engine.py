"""The rules as policies of Pulumi's SDK: from the engine's resources to objects, from results to violations."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import Severity as PulumiSeverity
from pulumi_policy.proxy import UnknownValueError

from policies.kit.docs import url
from policies.kit.notes import NOTES, Note, message
from policies.kit.objects import Object, Options, Stack
from policies.kit.rule import Context, Rule
from policies.kit.run import Outcome, Result, evaluate
from policies.kit.values import UNKNOWN, Fields

NO_STACK = Stack(())
NO_OBJECTS = ("helm.sh", "kustomize", "yaml")
"""Modules of the kubernetes provider whose resources stand for files; the objects in them are resources themselves."""


class Pending(threading.local):
    """Results that the policies of `NOTES` report at the end of a call; the SDK makes each call in one thread."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def take(self, note: Note) -> list[Result]:
        """The results that the note reports; they are pending no more."""
        taken = [result for result in self.results if result.outcome in note.outcomes]
        self.results = [result for result in self.results if result.outcome not in note.outcomes]
        return taken


def policies(rules: Iterable[Rule]) -> list[Policy]:
    """A policy for each rule, and behind them those that report what the rules could not."""
    pending = Pending()
    made: list[Policy] = []
    for rule in rules:
        if rule.whole_stack:
            made.append(StackValidationPolicy(validate=_over_stack(rule, pending), **_metadata(rule)))
        else:
            made.append(ResourceValidationPolicy(validate=_over_resource(rule, pending), **_metadata(rule)))
    for note in NOTES:
        level, report = EnforcementLevel(note.enforcement.value), _reporter(note, pending)
        made.append(ResourceValidationPolicy(note.id, note.title, validate=report, enforcement_level=level))
        made.append(StackValidationPolicy(note.in_stack, note.title, validate=report, enforcement_level=level))
    return made


def _metadata(rule: Rule) -> dict[str, Any]:
    schema = PolicyConfigSchema({name: setting.schema for name, setting in rule.settings.items()})
    return {
        "name": rule.id,
        "description": rule.title,
        "enforcement_level": EnforcementLevel(rule.enforcement.value),
        "config_schema": schema if rule.settings else None,
        "severity": PulumiSeverity(rule.severity.value),
        "framework": PolicyComplianceFramework(name=rule.frameworks[0]) if rule.frameworks else None,
        "tags": [*rule.frameworks, *rule.covers],
        "remediation_steps": rule.remediation,
        "url": url(rule),
    }


def _over_resource(rule: Rule, pending: Pending) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        kind, _ = kind_of(args.resource_type)
        if rule.kinds and kind not in rule.kinds:
            return  # before the values are read, which costs more than all the rest
        obj = from_engine(args)
        if obj is not None and rule.applies(obj):
            context = Context(obj, rule.thresholds(args.get_config()), NO_STACK, today())
            _report(evaluate(rule, context), report, pending)

    return validate


def _over_stack(rule: Rule, pending: Pending) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        found = [obj for resource in args.resources if (obj := from_engine(resource)) is not None]
        stack, settings = Stack(found), rule.thresholds(args.get_config())
        for obj in stack.objects:
            if rule.applies(obj):
                _report(evaluate(rule, Context(obj, settings, stack, today())), report, pending)

    return validate


def _report(results: Sequence[Result], report: ReportViolation, pending: Pending) -> None:
    for result in results:
        if result.outcome is Outcome.FAIL:
            report(f"{result} ({url(result.rule)})", result.object.urn)
        else:
            pending.results.append(result)


def _reporter(note: Note, pending: Pending) -> Callable[[Any, ReportViolation], None]:
    def validate(_: Any, report: ReportViolation) -> None:  # noqa: ANN401  a resource or a stack, and neither is read
        for result in pending.take(note):
            report(message(result), result.object.urn)

    return validate


def today() -> date:
    """The date of the run, for rules about age."""
    return datetime.now(UTC).date()


def kind_of(resource_type: str) -> tuple[str, str]:
    """Kind and API version of a type token: `kubernetes:apps/v1:StatefulSet`, `random:index/randomId:RandomId`.

    Kinds of other providers have their package in front; components, providers, files of manifests and patches of
    objects that somebody else declares have no kind.
    """
    package, _, rest = resource_type.partition(":")
    module, _, name = rest.partition(":")
    group, _, version = module.rpartition("/")
    if package == "kubernetes" and group not in NO_OBJECTS and not name.endswith("Patch"):
        return name, version if group == "core" else module
    if package in ("pulumi", "kubernetes") or "/" not in module:
        return "", ""
    return f"{package}:{name}", ""


def from_engine(resource: ResourceValidationArgs | PolicyResource) -> Object | None:
    """The object that a resource declares; None for what is none."""
    kind, api_version = kind_of(resource.resource_type)
    if not kind:
        return None
    parent = resource.opts.parent or ""
    options = Options(
        parent=parent.split("::")[2].rpartition("$")[2] if parent.count("::") > 1 else "",
        protect=bool(resource.opts.protect),
        secret_outputs=frozenset(resource.opts.additional_secret_outputs),
    )
    return Object(kind, api_version, Fields(lazily(resource.props)), resource.urn, options=options)


def lazily(value: Any) -> Any:  # noqa: ANN401  JSON
    """The engine's values with `UNKNOWN` where the SDK would raise; nothing is read before a rule asks for it."""
    if isinstance(value, Mapping):
        return _Object(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _List(value)
    return value


class _Object(Mapping[str, Any]):
    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401  JSON
        return _part(self._given, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


class _List(Sequence[Any]):
    def __init__(self, given: Sequence[Any]) -> None:
        self._given = given

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401  JSON
        return _part(self._given, index)

    def __len__(self) -> int:
        return len(self._given)


def _part(holder: Any, key: Any) -> Any:  # noqa: ANN401  JSON
    try:
        return lazily(holder[key])
    except UnknownValueError:
        return UNKNOWN
