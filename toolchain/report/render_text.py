"""A report on a terminal. Pure: a renderable for rich."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

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
    untold,
    verdict,
)

STYLES = {
    Level.SAFE: "green",
    Level.ROLLING_RESTART: "cyan",
    Level.FAILOVER: "yellow",
    Level.DOWNTIME: "red",
    Level.DATA_LOSS: "bold red",
}
FIELDS = 12
TITLES = {"preview": "Preview", "manifests": "Preview from manifests", "drift": "Drift"}


def text(report: Report, *, all_fields: bool = False) -> RenderableType:
    """The whole report, dangerous things first; `all_fields` shows every field of every change."""
    good = report.exit == 0
    head = Text.assemble((f"{TITLES[report.source]} of {report.stack}: ", "bold"))
    head.append(verdict(report), style="bold green" if good else "bold red")
    parts: list[RenderableType] = [Text(), head, Text(f"{report.basis}", style="dim"), Text(count_line(report))]
    parts += list(_failures(report))
    parts += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    parts += list(_changes(report, all_fields=all_fields))
    parts += [*_findings("could not run", report.unrun), *_findings("violated", report.findings)]
    return Group(*parts, Text())


def show(report: Report, console: Console, *, all_fields: bool = False) -> None:
    """Print it."""
    console.print(text(report, all_fields=all_fields), highlight=False, soft_wrap=True)


def _failures(report: Report) -> Iterable[Text]:
    for failure in untold(report) if report.failures else ():
        yield Text()
        if failure.what:
            yield Text(failure.what, style="red")
        if failure.fix:
            yield Text(f"  way out: {failure.fix}")


def _findings(what: str, findings: Iterable[Finding]) -> Iterable[RenderableType]:
    for finding in findings:
        label = what if finding.mandatory or what != "violated" else "advice"
        yield Text()
        head = Text.assemble("policy ", (finding.policy, "bold"), " ")
        yield head.append(label, style="bold red" if label != "advice" else "yellow")
        if finding.objects:
            yield Text(f"  {', '.join(finding.objects)}")
        yield Text(f"  {finding.message}")
        for name, value in (("way out", finding.remediation), ("more", finding.link)):
            if value:
                yield Text(f"  {name}: {value}", style="dim")


def _changes(report: Report, *, all_fields: bool) -> Iterable[RenderableType]:
    detailed = [change for change in report.changes if not is_plain(change)]
    for level in sorted({change.level for change in detailed}, reverse=True):
        yield Text()
        if report.source != "drift":
            yield Text(level.label, style=f"{STYLES[level]} underline")
        for group in alike((change for change in detailed if change.level == level), fields=True):
            yield from _change(group, all_fields=all_fields, drift=report.source == "drift")
    plain = [change for change in report.changes if is_plain(change)]
    if plain:
        yield Text()
        yield Text(f"new, and nothing uses them yet: {len(plain)}", style=f"{STYLES[Level.SAFE]} underline")
        yield from _by_component(plain)


def _by_component(changes: Iterable[Change]) -> Iterable[Text]:
    kinds: dict[str, Counter[str]] = {}
    for change in changes:
        kinds.setdefault(change.component, Counter())[change.object.split("/")[0]] += 1
    for component, counts in sorted(kinds.items()):
        yield Text(f"  {component}: {', '.join(f'{number} {kind}' for kind, number in counts.items())}")


def _change(group: Sequence[Change], *, all_fields: bool, drift: bool) -> Iterable[RenderableType]:
    change = group[0]
    word = WORDS[change.operation] if drift else change.operation
    head = Text.assemble(f"  {word} ", (names(group), "bold"), (f"  {change.component}", "dim"))
    if change.blocks:
        head.append("  NEEDS A WAIVER", style="bold red")
    if change.protected and change.operation in ("replace", "delete"):
        head.append("  protected", style="bold red")
    yield head
    if not drift:
        yield Text(f"    {change.reason}")
    if change.waiver is not None:
        yield Text(f"    waived: {change.waiver}", style="yellow")
    limit = len(change.fields) if all_fields else FIELDS
    for field in change.fields[:limit]:
        yield from _field(field)
    if len(change.fields) > limit:
        yield Text(f"      and {len(change.fields) - limit} more fields (--all shows them)", style="dim")


def _field(field: Field) -> Iterable[Text]:
    mark = "  (forces the replacement)" if field.replaces else ""
    if field.diff:
        yield Text(f"      {field.path}{mark}", style="dim")
        for row in field.diff:
            yield Text(f"        {row}", style={"+": "green", "-": "red"}.get(row[:1], "dim"))
        return
    line = Text(f"      {field.path}: ", style="dim")
    if field.old is not None:
        line.append(field.old, style="red")
    if field.old is not None and field.new is not None:
        line.append(" → ")
    if field.new is not None:
        line.append(field.new, style="green")
    suffix = " (added)" if field.old is None else " (removed)" if field.new is None else ""
    yield line.append(suffix + mark, style="dim")
