"""What a series of faults comes to: a row a class, one JSON line, and the verdict."""

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from drills.run import NEVER_ABOVE_S, Outcome

HEAD = ("class", "faults", "p50 s", "p95 s", "max s", "budget s", "acked", "lost", "doubled", "unknown", "verdict")
TRADES = ("traded p95 s", "budget s")  # beside them where orders are traded


@dataclass(frozen=True)
class Summary:
    """The numbers of one class, or of all; the fields are those of the JSON line."""

    drill: str
    faults: int
    rto_p50_s: float
    rto_p95_s: float
    rto_max_s: float
    acked: int
    lost: int
    duplicated: int
    unknown: int
    refused_auth: int
    two_primaries: int
    passed: bool
    traded_p95_s: float | None = None

    def json(self) -> str:
        """The one line that a machine reads; `traded_p95_s` is in it where orders are traded."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps(values | {"pass": values.pop("passed")})


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that so large a share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def summary(drill: str, outcomes: Sequence[Outcome]) -> Summary:
    """The sum of outcomes. Passed: every class within its budget, nothing lost that may not be, never two primaries."""
    times = [outcome.rto_s for outcome in outcomes]
    reports = [outcome.report for outcome in outcomes]
    trades = trade_times(outcomes)
    return Summary(
        drill=drill,
        faults=len(outcomes),
        rto_p50_s=round(quantile(times, 0.5), 2),
        rto_p95_s=round(quantile(times, 0.95), 2),
        rto_max_s=round(max(times, default=0), 2),
        acked=sum(report.acked for report in reports),
        lost=sum(report.lost for report in reports),
        duplicated=sum(report.duplicated for report in reports),
        unknown=sum(report.unknown for report in reports),
        refused_auth=sum(report.refused_auth for report in reports),
        two_primaries=sum(outcome.steps_back for outcome in outcomes),
        passed=bool(outcomes) and not any(problems(group) for group in by_class(outcomes).values()),
        traded_p95_s=round(quantile(trades, 0.95), 2) if trades else None,
    )


def trade_times(outcomes: Sequence[Outcome]) -> list[float]:
    """How long no order was traded, in each outcome where any could be, seconds."""
    return [outcome.trade_rto_s for outcome in outcomes if outcome.trade_rto_s is not None]


def by_class(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each class, in the order in which they came."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.fault.name, []).append(outcome)
    return groups


def problems(outcomes: Sequence[Outcome]) -> list[str]:
    """Why the outcomes of one class are not good enough; empty when they are."""
    found = [outcome.trouble for outcome in outcomes if outcome.trouble]
    times = [outcome.rto_s for outcome in outcomes]
    budget = outcomes[0].fault.budget_s
    if quantile(times, 0.95) > budget:
        found.append(f"p95 {quantile(times, 0.95):.1f} s > {budget:g} s")
    if (traded := quantile(trade_times(outcomes), 0.95)) > outcomes[0].fault.trade_budget_s:
        found.append(f"traded again: p95 {traded:.1f} s > {outcomes[0].fault.trade_budget_s:g} s")
    if max(times) > NEVER_ABOVE_S:
        found.append(f"max {max(times):.1f} s > {NEVER_ABOVE_S:g} s")
    if any(outcome.lost_too_many for outcome in outcomes):
        found.append("acknowledged writes lost")
    if any(outcome.report.duplicated for outcome in outcomes):
        found.append("writes doubled")
    if any(outcome.report.refused_auth for outcome in outcomes):
        found.append("logins refused")
    if any(outcome.steps_back for outcome in outcomes):
        found.append("two primaries took writes at one time")
    return found


def table(drill: str, outcomes: Sequence[Outcome]) -> str:
    """A row a class."""
    is_traded = bool(trade_times(outcomes))
    rows: list[tuple[str, ...]] = [(*HEAD[:6], *(TRADES if is_traded else ()), *HEAD[6:])]
    for name, group in by_class(outcomes).items():
        one, fault = summary(name, group), group[0].fault
        numbers = [one.rto_p50_s, one.rto_p95_s, one.rto_max_s, fault.budget_s]
        if is_traded:
            numbers += [one.traded_p95_s or 0.0, fault.trade_budget_s]
        rows.append(
            (
                name,
                str(one.faults),
                *(f"{number:.1f}" for number in numbers),
                *map(str, (one.acked, one.lost, one.duplicated, one.unknown)),
                "; ".join(problems(group)) or "ok",
            )
        )
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([f"drill {drill}", *lines])


def aligned(row: Sequence[str], widths: Sequence[int], left: Collection[int] | None = None) -> list[str]:
    """The cells in their columns: those of `left` to the left, by default the first and last; numbers to the right."""
    ragged = {0, len(row) - 1} if left is None else left
    return [c.ljust(w) if n in ragged else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
