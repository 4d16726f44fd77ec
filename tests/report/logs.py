"""The recorded event logs, as reports."""

from pathlib import Path

from toolchain.report import build, events
from toolchain.report.events import Log
from toolchain.report.findings import with_failures, with_policies
from toolchain.report.model import Report

FOLDER = Path(__file__).parent / "logs"


def log(name: str) -> Log:
    """A recorded log; tests/report/record.py says how it was made."""
    return events.parse((FOLDER / f"{name}.jsonl").read_text().splitlines())


def report(name: str, *, code: int = 0, printed: str = "") -> Report:
    """The report that `preview` makes of it."""
    recorded = log(name)
    made = Report(
        stack="local",
        source="preview",
        basis="the state of the stack against the program",
        changes=build.changes(recorded.steps),
        unchanged=build.unchanged(recorded.steps),
    )
    return with_failures(with_policies(made, recorded) if recorded.policies else made, code, recorded, printed)


def drift(name: str) -> Report:
    """The report that `drift` makes of it."""
    recorded = log(name)
    changes = build.drift(recorded.steps)
    return Report(stack="local", source="drift", basis="declared; found", changes=changes, unchanged=0)
