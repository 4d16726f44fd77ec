"""The report of a drill as one HTML page: its table, and for each fault a timeline of the client's writes."""

import html
from collections.abc import Sequence
from pathlib import Path

from drills.ledger import Entry
from drills.run import Outcome
from drills.summary import summary, table

WIDTH, HEIGHT, MARGIN = 900, 74, 12
COLOURS = {"acked": "#2a9d8f", "unknown": "#e9a23b", "refused": "#d1495b", "login": "#7b2cbf", "traded": "#3a86ff"}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2530; max-width: 940px; margin: 2rem auto; padding: 0 1rem }
pre { background: #f4f6f8; padding: 1rem; overflow-x: auto } h2 { font-size: 1rem; margin: 1.6rem 0 .2rem }
svg { width: 100%; height: auto } .legend span { margin-right: 1.2rem } .legend b { font-size: 1.3rem; line-height: 0 }
"""


def page(drill: str, outcomes: Sequence[Outcome]) -> str:
    """The whole document; it loads nothing."""
    parts = [timeline_section(number, outcome) for number, outcome in enumerate(outcomes, 1)]
    legend = "".join(f'<span><b style="color:{colour}">■</b> {name}</span>' for name, colour in COLOURS.items())
    verdict = "passed" if summary(drill, outcomes).passed else "FAILED"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Drill {html.escape(drill)}</title>'
        f"<style>{STYLE}</style><h1>Drill {html.escape(drill)}: {verdict}</h1>"
        f"<pre>{html.escape(table(drill, outcomes))}</pre>"
        f'<p class="legend">Each stroke is a write of the client at the time its outcome was known: {legend}</p>'
        + "".join(parts)
    )


def timeline_section(number: int, outcome: Outcome) -> str:
    """One fault: what, how long, and the picture."""
    title = f"{number}. {outcome.fault.what}: back after {outcome.rto_s:.2f} s, {outcome.report.lost} lost"
    return f"<h2>{html.escape(title)}</h2>{timeline(outcome)}"


def timeline(outcome: Outcome) -> str:
    """The writes of the client as strokes, with the fault, the healing and the changes of the timeline."""
    entries = outcome.entries
    if not entries:
        return "<p>The client wrote nothing.</p>"
    begin, end = entries[0].at, max(entries[-1].at, outcome.healed_at)
    scale = (WIDTH - 2 * MARGIN) / max(end - begin, 0.1)

    def x(at: float) -> float:
        return MARGIN + (at - begin) * scale

    strokes = "".join(
        f'<path d="{"".join(stroke(kind, x(entry.at)) for entry in entries if entry.outcome == kind)}" '
        f'stroke="{colour}" stroke-width="1"/>'
        for kind, colour in COLOURS.items()
        if any(entry.outcome == kind for entry in entries)
    )
    marks = [(outcome.fault_at, "fault", "#d1495b"), (outcome.healed_at, "healed", "#3d5a80"), *promotions(entries)]
    lines = "".join(
        f'<path d="M{x(at):.1f} 14v44" stroke="{colour}" stroke-width="1.5" stroke-dasharray="3 2"/>'
        f'<text x="{min(x(at) + 2, WIDTH - 70):.1f}" y="11" font-size="10" fill="{colour}">{name}</text>'
        for at, name, colour in marks
        if begin <= at <= end
    )
    seconds = "".join(
        f'<text x="{x(begin + second):.1f}" y="70" font-size="9" fill="#667">{second} s</text>'
        for second in range(0, int(end - begin) + 1, max(1, int((end - begin) / 12)))
    )
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{strokes}{lines}{seconds}</svg>'


def stroke(kind: str, x: float) -> str:
    """A write as a part of an SVG path; trades stand below what was acknowledged."""
    return f"M{x:.1f} {'37v13' if kind == 'traded' else '20v16'}"


def promotions(entries: Sequence[Entry]) -> list[tuple[float, str, str]]:
    """When the client first wrote to another timeline."""
    found, known = [], ""
    for entry in entries:
        if entry.timeline and entry.timeline != known:
            if known:
                found.append((entry.at, f"timeline {int(entry.timeline, 16)}", "#5f0f40"))
            known = entry.timeline
    return found


def write(folder: Path, drill: str, outcomes: Sequence[Outcome]) -> Path:
    """Write the page under its drill's name; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{drill}.html"
    path.write_text(page(drill, outcomes))
    return path
