"""Whether the API answers as it should, judged from two readings of its own metrics. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

HISTOGRAM = "trading_http_request_seconds"
ROUTES = "/v1/"
QUANTILE = 0.95


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What is good enough.

    Attributes:
        error_share: share of answers with a status of 500 or more.
        p95_s: seconds within which 95 of 100 answers come.
        requests: fewest answers on which to judge.
    """

    error_share: float = 0.01
    p95_s: float = 0.5
    requests: int = 20


@dataclass(frozen=True)
class Reading:
    """The counters of one pod, those of `/v1` alone: health checks and scrapes are no users.

    Attributes:
        answers: how many there were.
        errors: those with a status of 500 or more.
        within: seconds to the number of answers that took no longer.
    """

    answers: float = 0
    errors: float = 0
    within: Mapping[float, float] = field(default_factory=dict)

    def since(self, before: "Reading") -> "Reading":
        """What came between an earlier reading and this one."""
        within = {bound: count - before.within.get(bound, 0) for bound, count in self.within.items()}
        return Reading(self.answers - before.answers, self.errors - before.errors, within)

    def and_(self, other: "Reading") -> "Reading":
        """Both together."""
        bounds = self.within.keys() | other.within.keys()
        within = {bound: self.within.get(bound, 0) + other.within.get(bound, 0) for bound in bounds}
        return Reading(self.answers + other.answers, self.errors + other.errors, within)


def reading(text: str) -> Reading:
    """The reading of a `/metrics` page. Raises ValueError for a page without the histogram."""
    answers = errors = 0.0
    within: dict[float, float] = {}
    families = [family for family in text_string_to_metric_families(text) if family.name == HISTOGRAM]
    if not families:
        raise ValueError(f"the page has no {HISTOGRAM}")
    for sample in families[0].samples:
        if not sample.labels["route"].startswith(ROUTES):
            continue
        if sample.name.endswith("_bucket"):
            bound = float(sample.labels["le"])
            within[bound] = within.get(bound, 0) + sample.value
        elif sample.name.endswith("_count"):
            answers += sample.value
            errors += sample.value if int(sample.labels["status"]) >= 500 else 0
    return Reading(answers, errors, within)


def quantile_s(read: Reading, share: float = QUANTILE) -> float:
    """The smallest bucket's bound within which that share of the answers came: never less than the true quantile."""
    return min((bound for bound, count in read.within.items() if count >= share * read.answers), default=float("inf"))


def together(before: Mapping[str, Reading], after: Mapping[str, Reading]) -> Reading:
    """What all pods answered between two readings."""
    total = Reading()
    for pod, read in after.items():
        total = total.and_(read.since(before[pod]))
    return total


def problems(before: Mapping[str, Reading], after: Mapping[str, Reading], budget: Budget) -> list[str]:
    """What speaks against the new version, one line each. Silence speaks against it too."""
    restarted = [pod for pod, read in after.items() if read.answers < before[pod].answers]
    if restarted:
        return [f"{pod} has restarted: its counters began again" for pod in restarted]
    total = together(before, after)
    if total.answers < max(budget.requests, 1):
        return [f"{total.answers:.0f} answers, too few to judge (at least {budget.requests}); watch for longer"]
    found = []
    share = total.errors / total.answers
    if share > budget.error_share:
        found.append(f"{share:.1%} of {total.answers:.0f} answers were errors, at most {budget.error_share:.1%}")
    if quantile_s(total) > budget.p95_s:
        found.append(f"95 of 100 answers took up to {quantile_s(total):g} s, at most {budget.p95_s:g} s")
    return found


def summary(total: Reading, pods: Sequence[str]) -> str:
    """One line of what was seen."""
    return (
        f"{total.answers:.0f} answers of {len(pods)} pods, {total.errors:.0f} errors, "
        f"95 of 100 within {quantile_s(total):g} s"
    )
