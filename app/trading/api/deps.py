"""What the API's views need, given to the app when it is made."""

from dataclasses import dataclass, field

from flask import current_app

from trading.api.stream import Streams
from trading.cache.client import Cache
from trading.risk.checks import Limits
from trading.security.access import Access
from trading.security.allowlist import Allowlist
from trading.security.credentials import MountedCredential
from trading.security.signing import Signing
from trading.storage.database import Database

NAME = "trading"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Stores, keys, limits and rules of access of one app.

    Attributes:
        requests_a_minute: of one caller, over all processes.
    """

    database: Database
    cache: Cache
    keys: MountedCredential
    limits: Limits
    access: Access
    allowlist: Allowlist
    signing: Signing = Signing.OFF
    requests_a_minute: int = 12_000
    streams: Streams = field(default_factory=Streams)


def dependencies() -> Dependencies:
    """Those of the app that serves the present request."""
    found: Dependencies = current_app.extensions[NAME]
    return found
