"""The comment: short at the top, never too long, and nothing in it breaks out of its place."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.logs import drift, report
from toolchain.report import files
from toolchain.report.markdown import Part, cell, code, fenced, fit, prose
from toolchain.report.model import Change, Failure, Field, Finding, Level, Report
from toolchain.report.render_markdown import BUDGET, MARKER, MOST_STACKS, comment

GITHUB_LIMIT = 65_536
nasty = st.text(st.sampled_from("ab|`\n<>@*_[]()#~ é\u202e"), max_size=40) | st.text(max_size=40)


def change(number: int = 0, level: Level = Level.SAFE, *, fields: int = 1, gated: bool = False) -> Change:
    made = tuple(Field(path=f"spec.field{n}", old="x" * 100, new="y" * 100) for n in range(fields))
    return Change(
        object=f"Deployment/object-{number}", component="trading", operation="update", level=level,
        reason=f"reason {number}", gated=gated, fields=made,
    )  # fmt: skip


def large(number: int = 300) -> Report:
    changes = [change(n, Level(4 - n * 5 // number), fields=5, gated=n == 0) for n in range(number)]
    return Report(stack="prod", source="preview", basis="x", unchanged=7, changes=tuple(changes))


def test_verdict_and_counts_stand_first_and_the_dangerous_row_before_others() -> None:
    lines = comment([report("protected", code=1)]).splitlines()
    assert lines[0] == MARKER
    assert lines[2].startswith("### ❌ Preview of `local`: failed: StatefulSet postgres-members-set is protected")
    assert lines[4].startswith("incomplete: 2 to update, 3 to replace, 64 unchanged")
    rows = [line for line in lines if line.startswith(("| 🔴", "| 🟠", "| 🟢"))]
    assert rows[0].startswith("| 🔴 data loss | **replace** `StatefulSet/postgres` | **needs a waiver**")
    assert lines.index(rows[0]) < next(i for i, line in enumerate(lines) if line.startswith("<details>"))


def test_objects_of_which_the_same_is_to_say_share_a_row() -> None:
    text = comment([report("protected", code=1)])
    assert "**replace** `RandomPassword/credentials-api-a, credentials-api-b`" in text


def test_policies_have_their_way_out_and_link_beside_them() -> None:
    finding = Finding(
        policy="probes", enforcement="mandatory", message="has none", objects=("Deployment/a", "Deployment/b"),
        remediation="add one", link="https://docs.example.com/p#probes",
    )  # fmt: skip
    text = comment([Report(stack="prod", source="preview", basis="x", checked="1 policy", findings=(finding,))])
    row = next(line for line in text.splitlines() if "probes" in line and line.startswith("|"))
    assert row == (
        "| [`probes`](https://docs.example.com/p#probes) | violated | has none **Way out:** add one "
        "| `Deployment/a`, `Deployment/b` |"
    )


def test_a_comment_without_changes_is_three_lines() -> None:
    text = comment([Report(stack="prod", source="preview", basis="x", unchanged=3)])
    assert [line for line in text.splitlines() if line] == [
        MARKER, "### ✅ Preview of `prod`: no changes", "3 unchanged  ", "<sub>x</sub>",
    ]  # fmt: skip


def test_drift_has_its_own_words() -> None:
    text = comment([drift("drift")])
    assert "### ❌ Drift of `local`: drift: 5 objects differ" in text
    assert "**missing** `Service/trading-api`" in text
    assert "| risk |" not in text


def test_what_is_left_out_is_the_least_dangerous_and_is_counted() -> None:
    text = comment([large()])
    assert len(text) <= BUDGET
    assert "300 to update, 7 unchanged" in text
    assert "No room for all of it: left out" in text
    assert "`Deployment/object-0`\n\n```diff" in text, "the details of the most dangerous change are kept"
    assert "`Deployment/object-299`: left out" in text
    assert text.count("<details>") == text.count("</details>")


def test_stacks_share_the_room_and_a_small_one_leaves_its_own_to_others() -> None:
    small = Report(stack="staging", source="preview", basis="x", changes=(change(),))
    text = comment([large(), small])
    assert len(text) <= BUDGET
    assert len(text) > BUDGET * 0.9
    assert text.count(MARKER) == 1
    assert "Preview of `prod`" in text
    assert "Preview of `staging`: 1 change, at worst: safe" in text
    with pytest.raises(ValueError, match="a comment has room for"):
        comment([small] * (MOST_STACKS + 1))


fields = st.builds(
    Field, path=nasty, old=st.none() | nasty, new=st.none() | nasty,
    diff=st.lists(st.text(max_size=200), max_size=30).map(tuple), replaces=st.booleans(),
)  # fmt: skip
changes = st.builds(
    Change, object=nasty.map(lambda text: f"Kind/{text}"), component=nasty, reason=nasty,
    operation=st.sampled_from(["create", "update", "replace", "delete"]), level=st.sampled_from(Level),
    gated=st.booleans(), waiver=st.none() | nasty, fields=st.lists(fields, max_size=4).map(tuple),
)  # fmt: skip
findings = st.builds(
    Finding, policy=nasty, enforcement=st.sampled_from(["mandatory", "advisory"]), message=nasty,
    objects=st.lists(nasty, max_size=3).map(tuple), remediation=nasty, link=nasty,
)  # fmt: skip
reports = st.builds(
    Report, stack=nasty, basis=nasty, source=st.sampled_from(["preview", "manifests", "drift"]),
    unchanged=st.integers(0),
    changes=st.lists(changes, max_size=6).map(tuple), checked=st.just("") | st.just("3 policies"),
    findings=st.lists(findings, max_size=4).map(tuple), unrun=st.lists(findings, max_size=2).map(tuple),
    failures=st.lists(st.builds(Failure, nasty.map(lambda t: "x" + t), nasty), max_size=2).map(tuple),
    warnings=st.lists(nasty, max_size=2).map(tuple),
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(reports, min_size=1, max_size=4), st.integers(4_000, BUDGET))
def test_no_comment_is_longer_than_its_budget(made: list[Report], budget: int) -> None:
    text = comment(made, budget)
    assert len(text) <= len(text.encode()) <= budget < GITHUB_LIMIT
    assert text.startswith(MARKER)


@settings(max_examples=40)
@given(reports)
def test_a_report_is_read_back_as_it_was_written(made: Report) -> None:
    assert files.parse(files.text(made)) == made


@given(nasty)
def test_text_stays_in_its_cell_and_mentions_nobody(text: str) -> None:
    for shown in (cell(prose(text)), cell(code(text))):
        assert "\n" not in shown
        assert not re.search(r"(?<!\\)\|", shown)
    assert not re.search(r"@\w", prose(text))
    assert not re.search(r"<(?!!-- -->)", prose(text))


@given(st.lists(st.text(st.sampled_from("`~ab"), max_size=8), max_size=5))
def test_nothing_ends_a_fence_before_its_end(lines: list[str]) -> None:
    opened, *body, closed = fenced(lines, "diff").split("\n")
    assert opened == f"{closed}diff"
    assert not any(line.startswith(closed) for line in body)


def test_parts_go_by_rank_and_the_last_of_a_rank_first() -> None:
    parts = [
        Part("head"),
        Part("a" * 10, 1, what="row"),
        Part("b" * 10, 0, "(b)", "detail"),
        Part("c" * 10, 1, what="row"),
    ]
    assert fit(parts, 100) == ("\n".join(part.text for part in parts), {})
    assert fit(parts, 30) == ("head\naaaaaaaaaa\n(b)\ncccccccccc"[:30], {"detail": 1})
    assert fit(parts, 22) == ("head\naaaaaaaaaa\n(b)", {"detail": 1, "row": 1})
