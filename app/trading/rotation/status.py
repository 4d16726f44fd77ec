"""How old each credential is, and when it is due. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading.rotation.journal import rotated_at
from trading.rotation.kinds import KINDS
from trading.rotation.stackfile import INTERVAL_DAYS
from trading.security.audit import Link

AGE, INTERVAL = "trading_credential_age_seconds", "trading_credential_interval_seconds"


@dataclass(frozen=True)
class Standing:
    """One kind.

    Attributes:
        epoch: that of the cluster.
        since: when it was rotated to; of one that never was, when its Secret was made; None if it was rotated by
            something that keeps no journal.
        interval: how long it may stand.
    """

    kind: str
    epoch: int
    since: datetime | None
    interval: timedelta

    def age(self, now: datetime) -> timedelta | None:
        """How long it has stood."""
        return None if self.since is None else now - self.since

    def is_overdue(self, now: datetime) -> bool:
        """Whether it has stood for too long; an age that nobody knows is too long."""
        age = self.age(now)
        return age is None or age > self.interval


def standings(
    deployed: Mapping[str, int], made_at: Mapping[str, datetime], links: Sequence[Link], days: Mapping[str, int]
) -> list[Standing]:
    """Every kind that the cluster has."""
    found = []
    for kind in KINDS:
        if kind in deployed:
            since = rotated_at(links, kind, deployed[kind]) or (made_at.get(kind) if deployed[kind] == 1 else None)
            found.append(Standing(kind, deployed[kind], since, timedelta(days=days.get(kind, INTERVAL_DAYS))))
    return found


def table(found: Sequence[Standing], now: datetime) -> str:
    """A line a kind."""
    rows = [("credential", "epoch", "age d", "due in d", "")]
    for one in found:
        age = one.age(now)
        told = ("?", "?") if age is None else (str(age.days), str((one.interval - age).days))
        rows.append((one.kind, str(one.epoch), *told, "overdue" if one.is_overdue(now) else ""))
    return "\n".join(f"{row[0]:22}{row[1]:>6}{row[2]:>7}{row[3]:>10}  {row[4]}".rstrip() for row in rows)


def metrics(found: Sequence[Standing], now: datetime) -> str:
    """The same in the text format of Prometheus; an age that nobody knows is infinite."""
    lines = [f"# HELP {AGE} How long the current password of a credential has stood.", f"# TYPE {AGE} gauge"]
    for one in found:
        age = one.age(now)
        lines.append(f'{AGE}{{kind="{one.kind}"}} {"+Inf" if age is None else round(age.total_seconds())}')
    lines += [f"# HELP {INTERVAL} How long it may stand.", f"# TYPE {INTERVAL} gauge"]
    lines += [f'{INTERVAL}{{kind="{one.kind}"}} {round(one.interval.total_seconds())}' for one in found]
    return "\n".join(lines) + "\n"
