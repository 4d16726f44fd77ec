"""Arguments of the credentials component."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.credentials.epochs import FIRST_EPOCH
from components.kit.errors import Problem, require
from components.kit.rules import at_least, dns_label, one_of

KINDS = (
    "api",
    "jwt",
    "postgres-app",
    "postgres-replication",
    "redis-admin",
    "redis-app",
    "redis-replication",
    "redis-sentinel",
)

BACKUP_KIND, BACKUP_TLS_KIND = "postgres-backup", "postgres-backup-tls"
"""Kinds without an epoch, see `backup`."""

BROKER_KIND = "broker"
"""Given by the broker, who alone makes another; see `broker`."""

SECRET_NAMES: Mapping[str, str] = {
    kind: f"credentials-{kind}" for kind in (*KINDS, BACKUP_KIND, BACKUP_TLS_KIND, BROKER_KIND)
}
"""Kind to the plain name of its Secret, which no stack changes: pods mount it by that name."""
EPOCH_ANNOTATION = "trading-platform/credential-epoch"
REGISTRY_SECRET = "registry"


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """Which generation of each credential is the current one.

    Attributes:
        namespace: where the Secrets go.
        epochs: kind to epoch, an integer from 1 on; a kind that is not named stands at 1. One more rotates the kind,
            one less goes back to the previous password.
        rotation_days: kind to the days that an epoch of it may stand, by which `trading rotate` tells what is due.

    Raises:
        InvalidArgs: with every problem at once.
    """

    namespace: str
    epochs: Mapping[str, int] = field(default_factory=dict)
    rotation_days: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what `problems` finds."""
        require(problems(self))

    def epoch(self, kind: str) -> int:
        """The current epoch of a kind."""
        return self.epochs.get(kind, FIRST_EPOCH)


def problems(args: CredentialsArgs) -> list[Problem]:
    """Every problem of the arguments."""
    found = dns_label("namespace", args.namespace)
    for kind, epoch in args.epochs.items():
        found += one_of("credentials", kind, KINDS)
        found += at_least(f"credentials.{kind}", epoch, FIRST_EPOCH, "as an epoch", "the first generation")
    for kind, days in args.rotation_days.items():
        found += one_of("rotationDays", kind, KINDS)
        found += at_least(f"rotationDays.{kind}", days, 1, "days", "a day")
    return found
