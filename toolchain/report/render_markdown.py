"""One comment of a pull request for one or several stacks. Pure.

First the verdict, then one table of what is dangerous, then everything else, folded. A comment on GitHub has room for
65,536 characters: when there are more, details go first, the least dangerous before others; verdict and counts stay.
"""

from collections.abc import Iterable, Sequence

from toolchain.report.markdown import Part, cell, code, fenced, fit, prose, size_of
from toolchain.report.model import (
    WORDS,
    Change,
    Field,
    Finding,
    Level,
    Report,
    alike,
    count_line,
    is_plain,
    names,
    plural,
    untold,
    verdict,
)

BUDGET = 60_000
MOST_STACKS = 20
MARKER = "<!-- trading-platform: preview -->"
"""The first line of every comment: who posts it finds the earlier one by this, and edits it in place."""
SIGNS = {
    Level.SAFE: "🟢",
    Level.ROLLING_RESTART: "🔵",
    Level.FAILOVER: "🟡",
    Level.DOWNTIME: "🟠",
    Level.DATA_LOSS: "🔴",
}
NOTE_ROOM = 400
FIELDS = 60
OBJECTS = 8
NAMES_LIMIT = 300
# what goes first when there is no room; a table row outlives the details of the same level
DETAILS, FINDINGS, ROWS = 0, 10, 20


def comment(reports: Sequence[Report], budget: int = BUDGET) -> str:
    """The whole comment, at most `budget` bytes.

    Raises:
        ValueError: more stacks than a comment has room for.
    """
    if len(reports) > MOST_STACKS:
        raise ValueError(f"{len(reports)} stacks: a comment has room for {MOST_STACKS}")
    room = budget - size_of(MARKER)
    texts: dict[int, str] = {}
    # those that ask for least get all of it, so that the room goes to those that need it
    whole = {index: one_stack(report, room) for index, report in enumerate(reports)}
    for position, index in enumerate(sorted(whole, key=lambda index: size_of(whole[index]))):
        share = room // (len(reports) - position) - 2
        text = whole[index] if size_of(whole[index]) <= share else one_stack(reports[index], share)
        texts[index] = text
        room -= size_of(text) + 2
    return "\n\n".join([MARKER, *(texts[index] for index in range(len(reports)))])


def one_stack(report: Report, budget: int) -> str:
    """The section of one stack."""
    parts = list(_parts(report))
    text, left_out = fit(parts, budget)
    if not left_out:
        return text
    text, left_out = fit(parts, budget - NOTE_ROOM)
    what = ", ".join(plural(number, name) for name, number in left_out.items())
    note = f"_No room for all of it: left out {what}, the least dangerous first. The job's log has everything._"
    return f"{text}\n{note}"


def _parts(report: Report) -> Iterable[Part]:
    sign = "❌" if report.exit else "✅"
    title = {"preview": "Preview", "manifests": "Preview", "drift": "Drift"}[report.source]
    yield Part(f"### {sign} {title} of {code(report.stack, 40)}: {prose(verdict(report), 300)}\n")
    yield Part(f"{prose(count_line(report))}  \n<sub>{prose(report.basis)}</sub>\n")
    for failure in untold(report) if report.failures else ():
        yield _failure(failure.what, failure.fix)
    for warning in report.warnings:
        yield Part(f"> ⚠️ {prose(warning)}\n", FINDINGS + 5, what="warning")
    yield from _findings(report)
    yield from _table(report)
    yield from _details(report)


def _failure(what: str, fix: str) -> Part:
    text = fenced(what.splitlines(), "text") if what else ""
    return Part(f"{text}\n{f'**Way out:** {prose(fix)}' if fix else ''}\n", FINDINGS + 9, what="failure")


def _findings(report: Report) -> Iterable[Part]:
    rows = [("could not run", finding) for finding in report.unrun]
    rows += [("violated" if finding.mandatory else "advice", finding) for finding in report.findings]
    if not rows:
        return
    yield Part("| policy | | what is wrong, and the way out | objects |\n| --- | --- | --- | --- |")
    for label, finding in rows:
        rank = FINDINGS if label == "advice" else FINDINGS + 8
        yield Part(_finding(label, finding), rank, what="policy finding")
    yield Part("")


def _finding(label: str, finding: Finding) -> str:
    name = f"[{code(finding.policy, 80)}]({finding.link})" if _is_link(finding.link) else code(finding.policy, 80)
    way_out = f" **Way out:** {prose(finding.remediation)}" if finding.remediation else ""
    where = ", ".join(code(name) for name in finding.objects[:OBJECTS])
    more = f" and {len(finding.objects) - OBJECTS} more" if len(finding.objects) > OBJECTS else ""
    return f"| {cell(name)} | {label} | {cell(prose(finding.message))}{cell(way_out)} | {cell(where)}{more} |"


def _is_link(text: str) -> bool:
    return text.startswith("https://") and len(text) < 300 and not set(text) & set(' ()<>|\n"`')


def _table(report: Report) -> Iterable[Part]:
    if report.source == "drift":
        return
    rows = [change for change in report.changes if not is_plain(change)]
    created = len(report.changes) - len(rows)
    if not report.changes:
        return
    yield Part("| risk | what | why |\n| --- | --- | --- |")
    for group in alike(rows, fields=False):
        yield Part(_row(group), ROWS + group[0].level, what="table row")
    if created:
        yield Part(f"| {SIGNS[Level.SAFE]} safe | create {plural(created, 'object')} | new: nothing uses them yet |")
    yield Part("")


def _row(group: Sequence[Change]) -> str:
    change = group[0]
    what = f"**{change.operation}**" if change.gated else change.operation
    why = prose(change.reason)
    if change.blocks:
        why = f"**needs a waiver**: {why}"
    elif change.waiver is not None:
        why = f"{why} (waived: {prose(change.waiver, 200)})"
    risk = f"{SIGNS[change.level]} {change.level.label}"
    return f"| {risk} | {what} {cell(code(names(group), NAMES_LIMIT))} | {cell(why)} |"


def _details(report: Report) -> Iterable[Part]:
    """Fields of every change, folded per component, the component with the worst change first."""
    components = dict.fromkeys(change.component for change in report.changes)
    for component in components:
        own = [change for change in report.changes if change.component == component]
        detailed = [change for change in own if not is_plain(change) and (change.fields or report.source == "drift")]
        created = [change for change in own if is_plain(change)]
        if not detailed and not created:
            continue
        summary = f"{prose(component, 60)}: {plural(len(own), 'object')}"
        yield Part(f"<details><summary>{summary}</summary>\n")
        for group in alike(detailed, fields=True):
            rank = DETAILS + group[0].level
            yield Part(_fields(group, report), rank, f"{code(names(group))}: left out\n", "detail")
        for group in alike(created, fields=False):
            yield Part(f"- create {code(names(group), NAMES_LIMIT)}", DETAILS, what="list of new objects")
        yield Part("\n</details>\n")


def _fields(group: Sequence[Change], report: Report) -> str:
    change = group[0]
    lines = [line for field in change.fields[:FIELDS] for line in _diff(field)]
    if not lines:
        lines = [f"  {change.reason}"]
    if len(change.fields) > FIELDS:
        lines.append(f"  and {len(change.fields) - FIELDS} more fields")
    word = WORDS[change.operation] if report.source == "drift" else change.operation
    return f"**{word}** {code(names(group), NAMES_LIMIT)}\n\n{fenced(lines, 'diff')}\n"


def _diff(field: Field) -> Iterable[str]:
    """A field as lines of a diff, which GitHub colours."""
    note = "  (forces the replacement)" if field.replaces else ""
    if field.diff:
        yield f"  {field.path}:{note}"
        yield from field.diff
        return
    if field.old is not None:
        yield f"- {field.path}: {field.old}{note if field.new is None else ''}"
    if field.new is not None:
        yield f"+ {field.path}: {field.new}{note}"
