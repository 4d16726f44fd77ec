"""From which addresses the API may be used: a file that the deployment mounts, and what administrators add to it.

As soon as there is a file, or an administrator says so, only the listed addresses get in; an empty list then lets
nobody in. A file that is wrong at the start ends the process; one that becomes wrong later leaves the last good one in
force.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from prometheus_client import Counter, Gauge

from trading.domain.errors import TradingError
from trading.security.addresses import Address, InvalidNetwork, Network, Networks, network

log = logging.getLogger(__name__)
MAX_FILE_BYTES = 256 * 1024
GENERATION = Gauge(
    "trading_allowlist_generation", "What is in force: loads of the file, version in the store", ["source"]
)
LISTED = Gauge("trading_allowlist_networks", "Networks in force", ["source"])
FAILURES = Counter("trading_allowlist_reload_failures_total", "Files and versions that could not be read", ["source"])
REFUSED = Counter("trading_allowlist_refused_total", "Requests that were not let in", ["reason"])


class AllowlistError(TradingError):
    """A file that is not one network a line, with every problem at once."""

    code = "ALLOWLIST"


class AddressRefused(TradingError):
    """The address is not on the list."""

    code = "ADDRESS_REFUSED"


class AllowlistUnknown(TradingError):
    """It has not been read yet whether there is a list."""

    code = "ALLOWLIST_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Version:
    """What administrators have added; version 0 before they did.

    Attributes:
        enforced: whether only listed addresses get in, even without a file.
        networks: network, as it is written, to what it is for.
    """

    number: int = 0
    enforced: bool = False
    networks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """File and version together."""

    file: Networks | None
    version: Version

    @property
    def enforced(self) -> bool:
        """Whether only listed addresses get in."""
        return self.file is not None or self.version.enforced

    def admits(self, address: Address) -> bool:
        """Whether a request from there gets in."""
        return not self.enforced or address in (self.file or Networks()) or address in added(self.version)


def added(version: Version) -> Networks:
    """The networks of a version."""
    return Networks(frozenset(network(text) for text in version.networks))


def parse_file(text: str) -> Networks:
    """One address or network a line; `#` begins a remark.

    Raises:
        AllowlistError: with the number of every line that is wrong.
    """
    found: set[Network] = set()
    problems = []
    for number, content in _lines(text):
        try:
            found.add(network(content))
        except InvalidNetwork as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise AllowlistError("\n".join(problems))
    return Networks(frozenset(found))


class Allowlist:
    """What is in force in this process. Safe for threads.

    Args:
        file: one network a line; None for none.
        trusted: the networks of our proxies, whose X-Forwarded-For counts.
        version: what is in the store; None while it has not been read.

    Raises:
        AllowlistError: the file is not there or not right.
    """

    def __init__(self, file: Path | None, trusted: Networks, version: Version | None) -> None:
        self.trusted = trusted
        self._file = file
        self._lock = Lock()
        self._seen = self._stamp()
        self._loads = 0
        self._networks = self._read() if file else None
        self._version: Version | None = None
        self._added = Networks()
        if version:
            self.take(version)

    def check(self, address: Address) -> None:
        """Let an address in, or not.

        Raises:
            AddressRefused: it is not on the list.
            AllowlistUnknown: it is not in the file, and the store has not been read.
        """
        if self._networks is not None and address in self._networks:
            return
        if self._version is None:
            raise AllowlistUnknown("the addresses that may use the API have not been read yet; try again")
        if (self._networks is not None or self._version.enforced) and address not in self._added:
            raise AddressRefused("requests from this address are not let in")

    def rule(self, version: Version) -> Rule:
        """What would hold with this version."""
        return Rule(self._networks, version)

    def take(self, version: Version) -> None:
        """Put a version of the store in force, unless a later one is."""
        with self._lock:
            if self._version is None or version.number > self._version.number:
                self._added, self._version = added(version), version
                GENERATION.labels("store").set(version.number)
                LISTED.labels("store").set(len(version.networks))

    def reload(self) -> None:
        """Read the file again if it has changed; the last good one stays when it is wrong."""
        if self._file is None or (stamp := self._stamp()) == self._seen:
            return
        self._seen = stamp
        try:
            self._networks = self._read()
        except AllowlistError as error:
            FAILURES.labels("file").inc()
            log.error("allowlist unreadable, the last good one stays", extra={"error": str(error)})
        else:
            log.info("allowlist read", extra={"networks": len(self._networks.listed)})

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            info = self._file.stat() if self._file else None
        except OSError:
            return None
        return (info.st_ino, info.st_mtime_ns, info.st_size) if info else None

    def _read(self) -> Networks:
        assert self._file is not None  # noqa: S101 - the callers have looked
        try:
            with self._file.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
            text = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise AllowlistError(f"TRADING_ALLOWLIST_FILE={self._file}: cannot be read ({error}); mount it") from error
        if len(content) > MAX_FILE_BYTES:
            raise AllowlistError(f"TRADING_ALLOWLIST_FILE={self._file}: must have at most {MAX_FILE_BYTES} bytes")
        found = parse_file(text)
        self._loads += 1
        GENERATION.labels("file").set(self._loads)
        LISTED.labels("file").set(len(found.listed))
        return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if content:
            yield number, content
