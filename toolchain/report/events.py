"""Read the engine's event log: JSON lines, one event each, which carry plan, policies and messages. Pure.

The log and not `preview --json`, because only the log has the policies in it. Secrets are blinded by the engine.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from toolchain.report.steps import Operation, Step

KNOWN = frozenset(get_args(Operation))
# what the engine plans beside the logical step of the same resource
PARTS = frozenset(
    {"create-replacement", "delete-replaced", "read-discard", "discard-replaced", "remove-pending-replace"}
)
MEANING: Mapping[str, Operation] = {
    "import": "create",
    "import-replacement": "replace",
    "read": "same",
    "read-replacement": "replace",
    "refresh": "same",
    "discard": "delete",
}
CANNOT_RUN = re.compile(r"can't run (?:policy|remediation) '(?P<policy>[^']+)'.*?: (?P<why>.*)", re.DOTALL)


@dataclass(frozen=True)
class PolicyEvent:
    """A violation, as the engine tells it."""

    policy: str
    pack: str
    enforcement: str
    urn: str
    message: str


@dataclass(frozen=True)
class Log:
    """All of a log that a report needs.

    Attributes:
        steps: one for each resource, unchanged ones too.
        violations: in their order, repeated ones once.
        unrun: policy to why it could not be evaluated.
        policies: names of the policies that were evaluated.
        packs: names of the packs that the engine loaded.
        errors: error messages in their order: (urn or empty, text).
        output: what the program and the policy pack wrote on their standard error.
        warnings: of the engine and the providers.
        whole: whether the engine came to its end.
    """

    steps: tuple[Step, ...]
    violations: tuple[PolicyEvent, ...]
    unrun: Mapping[str, str]
    policies: frozenset[str]
    packs: tuple[str, ...]
    errors: tuple[tuple[str, str], ...]
    output: tuple[str, ...]
    warnings: tuple[str, ...]
    whole: bool


def parse(lines: Iterable[str]) -> Log:
    """Read a log. A last line that was cut off by a killed engine is left out; raises ValueError for any other."""
    events = _events([line for line in lines if line.strip()])
    violations, unrun = _policies(events)
    diagnostics = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    summaries = [event[key] for event in events for key in _SUMMARIES if key in event]
    ends = [event["summaryEvent"] for event in events if "summaryEvent" in event]
    return Log(
        steps=_steps(events),
        violations=violations,
        unrun=unrun,
        policies=frozenset(
            name for summary in summaries for key in ("passed", "failed") for name in summary.get(key) or ()
        ),
        packs=tuple(sorted({*(ends[-1].get("PolicyPacks") or {} if ends else {}), *(v.pack for v in violations)})),
        errors=tuple((d.get("urn", ""), plain(d["message"])) for d in diagnostics if d["severity"] == "error"),
        output=tuple(plain(d["message"]) for d in diagnostics if d["severity"] == "info#err"),
        warnings=tuple(plain(d["message"]) for d in diagnostics if d["severity"] == "warning"),
        whole=bool(ends),
    )


_SUMMARIES = ("policyAnalyzeSummaryEvent", "policyAnalyzeStackSummaryEvent")


def _events(lines: list[str]) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise
    return found


def _steps(events: list[dict[str, Any]]) -> tuple[Step, ...]:
    """One step a resource. The outputs event wins: of a refresh, it alone tells what was found."""
    found: dict[str, Step] = {}
    for event in events:
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            if kind in event and (step := _step(event[kind]["metadata"])) is not None:
                found[step.urn] = step
    return tuple(found.values())


def _step(metadata: Mapping[str, Any]) -> Step | None:
    if metadata["op"] in PARTS:
        return None
    # an operation that a later engine may know counts as a change rather than as none
    operation = metadata["op"] if metadata["op"] in KNOWN else MEANING.get(metadata["op"], "update")
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    detailed = metadata.get("detailedDiff") or {}
    types = metadata["urn"].split("::")[2].split("$")
    return Step(
        operation=operation,
        type=metadata["type"],
        logical=metadata["urn"].rsplit("::", 1)[-1],
        urn=metadata["urn"],
        old=old.get("inputs") if operation != "create" else None,
        new=new.get("inputs") if operation != "delete" else None,
        live=(new if metadata["op"] == "refresh" else old).get("outputs"),
        diff={path: change["diffKind"] for path, change in detailed.items()},
        replaced_by=tuple(metadata.get("keys") or ()),
        parent=types[-2] if len(types) > 1 else "",
        protected=bool(old.get("protect") or new.get("protect")),
    )


def _policies(events: list[dict[str, Any]]) -> tuple[tuple[PolicyEvent, ...], dict[str, str]]:
    violations: dict[PolicyEvent, None] = {}
    unrun: dict[str, str] = {}
    for event in events:
        if (found := event.get("policyEvent")) is None:
            continue
        message = plain(found["message"])
        if (told := CANNOT_RUN.search(message)) is not None:
            unrun[told["policy"]] = told["why"].strip()
        else:
            violations[
                PolicyEvent(
                    policy=found["policyName"],
                    pack=found["policyPackName"],
                    enforcement=found["enforcementLevel"],
                    urn=found.get("resourceUrn", ""),
                    message=message,
                )
            ] = None
    return tuple(violations), unrun


def plain(text: str) -> str:
    """Without the engine's colour marks and terminal escapes."""
    return re.sub(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*[A-Za-z]", "", text).strip()
