"""What a node tells the others about itself: the JSON of `/state`, which holds nothing secret. Pure."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Role = Literal["master", "replica"]


class NotAState(Exception):
    """The text is not the JSON of a node's state."""


@dataclass(frozen=True, kw_only=True)
class LastSeen:
    """When a data node was last known to be part of the whole: a master with replicas, or a replica with its master.

    Attributes:
        at: seconds since the epoch.
        role: what it was.
        offset: its place in the stream of replication.
    """

    at: int
    role: Role
    offset: int


@dataclass(frozen=True, kw_only=True)
class Applied:
    """How far a node has followed one kind of credential.

    Attributes:
        accepts: the epoch whose two passwords the local process accepts; None before the first time.
        uses: the epoch whose password the local process logs in with elsewhere; None if it does not.
    """

    accepts: int | None = None
    uses: int | None = None


@dataclass(frozen=True, kw_only=True)
class MemberState:
    """A data node.

    Attributes:
        has_data: it holds a whole copy, as opposed to nothing or to the first part of a copy.
        role: of the running process; None while none runs.
        master: `host:port` that a replica follows.
        link_up: a replica's stream from its master stands.
        loading: it still reads its files.
        electable: Sentinel may promote it, or has.
        offset: place in the stream of replication.
        replicas: replicas whose stream stands, seen by a master.
        last_seen: what it last was; None if it never was.
        stopped_whole: its last stop was planned, and no write was acknowledged that its files lack.
        credentials: kind to how far it has followed.
    """

    has_data: bool
    role: Role | None = None
    master: str | None = None
    link_up: bool = False
    loading: bool = False
    electable: bool = False
    offset: int = 0
    replicas: int = 0
    last_seen: LastSeen | None = None
    stopped_whole: bool = False
    credentials: dict[str, Applied] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """It serves: a master, or a replica whose copy is current."""
        return not self.loading and (self.role == "master" or self.link_up)

    @property
    def ran_on(self) -> bool:
        """A running replica with a whole copy and a place in the stream, which it has not had anew from its files."""
        return self.role == "replica" and self.has_data and not self.loading and self.offset > 0

    def to_json(self) -> str:
        """The wire form."""
        return json.dumps({"node": "member", **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The reverse of `to_json`.

        Raises:
            NotAState: for anything else.
        """
        values = _values(text, "member")
        try:
            seen = values.pop("last_seen")
            return cls(**values | {"last_seen": LastSeen(**seen) if seen else None})
        except (KeyError, TypeError) as error:
            raise NotAState(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class SentinelState:
    """A Sentinel.

    Attributes:
        running: the process answers.
        configured: it has ever known a master; its volume says so.
        master: `host:port` of the master that it knows.
        epoch: generation of that knowledge; the highest is the truth.
        failover: it is replacing the master right now.
        credentials: kind to how far it has followed.
    """

    running: bool
    configured: bool
    master: str | None = None
    epoch: int = 0
    failover: bool = False
    credentials: dict[str, Applied] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """It serves: it can tell where the master is."""
        return self.running and self.master is not None

    @property
    def conclusive(self) -> bool:
        """It knows, or it is sure to know nothing; one that is still starting with what it knows is neither."""
        return self.running or not self.configured

    def to_json(self) -> str:
        """The wire form."""
        return json.dumps({"node": "sentinel", **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The reverse of `to_json`.

        Raises:
            NotAState: for anything else.
        """
        try:
            return cls(**_values(text, "sentinel"))
        except (KeyError, TypeError) as error:
            raise NotAState(str(error)) from error


def _values(text: str, node: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
        if not isinstance(values, dict) or values.pop("node") != node:
            raise NotAState(f"not the state of a {node}")
        applied = {kind: Applied(**each) for kind, each in values.pop("credentials").items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAState(str(error)) from error
    return values | {"credentials": applied}
