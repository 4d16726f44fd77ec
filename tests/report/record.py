"""Make a fixture of an event log: only what a report reads, nothing of the machine that it was recorded on.

PULUMI_DEBUG_COMMANDS=true pulumi preview --stack local --event-log LOG ...
python -m tests.report.record LOG tests/report/logs/NAME.jsonl
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

KEPT = ("policyEvent", "policyAnalyzeSummaryEvent", "policyAnalyzeStackSummaryEvent", "summaryEvent", "diagnosticEvent")
CONTEXT = ("Deployment", "StatefulSet", "Namespace")
PATHS = re.compile(r"(?:/[\w.@-]+)+/(?=policies|pack|badpack|lib/|state|__main__|kubeconfig)")


def trimmed(lines: Iterable[str]) -> Iterator[str]:
    """The lines of the fixture."""
    for line in lines:
        event = json.loads(line)
        kept = {kind: event[kind] for kind in KEPT if kind in event}
        if kept.get("diagnosticEvent", {}).get("severity") in ("debug", "info"):
            continue
        if "policyAnalyzeSummaryEvent" in kept and "Namespace" not in kept["policyAnalyzeSummaryEvent"]["resourceUrn"]:
            continue
        if "resOutputsEvent" in event:
            kept["resOutputsEvent"] = {"metadata": _step(event["resOutputsEvent"]["metadata"])}
        if kept:
            yield PATHS.sub("/project/", json.dumps(kept))


def _step(metadata: dict[str, Any]) -> dict[str, Any]:
    still = metadata["op"] in ("same", "refresh")
    step = {name: metadata.get(name) for name in ("op", "urn", "type", "keys", "detailedDiff")}
    for side in ("old", "new"):
        state = metadata.get(side)
        if state is not None and (not still or _tells(metadata["urn"].split("::")[2], side)):
            step[side] = {"inputs": state["inputs"], "protect": state.get("protect", False)}
    return step


def _tells(types: str, side: str) -> bool:
    """Whether an unchanged resource is looked at: both sides of a password, the present one of what has pods."""
    return types.endswith("RandomPassword") or (side == "new" and types.endswith(CONTEXT))


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text("\n".join(trimmed(source.read_text().splitlines())) + "\n")
