"""The terminal: the verdict first, the reason with each change, and what a person can do."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from tests.report.logs import drift, report
from toolchain.report.model import Change, Level, Report
from toolchain.report.render_text import FIELDS, show


def printed(made: Report, *, all_fields: bool = False) -> str:
    out = StringIO()
    show(made, Console(file=out, width=100, color_system=None), all_fields=all_fields)
    return out.getvalue()


def test_the_most_dangerous_change_stands_first_with_its_reason() -> None:
    lines = printed(report("update", code=1)).split("\n")
    assert lines[1] == "Preview of local: blocked: 2 policies violated, 1 policy could not run"
    at = lines.index("downtime")
    assert lines[at + 1] == "  update Deployment/trading-feed  trading"
    assert lines[at + 2] == "    environment changes: all pods stop before a new one starts (strategy Recreate)"
    assert lines.index("failover") < lines.index("rolling restart") < lines.index("safe")


def test_a_failure_is_said_once_with_its_way_out() -> None:
    text = printed(report("protected", code=1))
    assert text.count("is protected, and this change would delete or replace it") == 1
    assert "way out: take back what forces that" in text
    assert "NEEDS A WAIVER" in text


def test_drift_says_missing_and_changed() -> None:
    text = printed(drift("drift"))
    assert "  missing Service/trading-api" in text
    assert "  changed Deployment/trading-api" in text
    assert "spec.replicas: 1 → 2" in text


def test_new_objects_are_counted_by_component() -> None:
    new = Change(object="Secret/a", component="credentials", operation="create", level=Level.SAFE, reason="new")
    made = Report(stack="prod", source="preview", basis="x", changes=(new, replace(new, object="Secret/b")))
    assert "  credentials: 2 Secret\n" in printed(made)


def test_many_fields_are_cut_unless_asked_for() -> None:
    change = next(c for c in report("update").changes if c.fields)
    many = replace(change, fields=change.fields[:1] * (FIELDS + 5))
    made = Report(stack="prod", source="preview", basis="x", changes=(many,))
    assert "and 5 more fields (--all shows them)" in printed(made)
    assert "more fields" not in printed(made, all_fields=True)


def test_policies_show_what_is_wrong() -> None:
    text = printed(report("update", code=1))
    assert "policy two-pods violated\n  Deployment/trading-feed\n" in text
    assert "policy reads-unknown could not run" in text
    assert "policy good-names advice" in text
