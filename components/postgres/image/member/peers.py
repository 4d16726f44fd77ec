"""Ask the other members' agents: what they held, and for a timeline number."""

import json
import queue
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from components.postgres.image.member.marks import Marks, decode
from components.postgres.image.member.paths import Cluster

TIMEOUT_S = 1.0
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What a member says.

    Attributes:
        marks: what it held.
        newest: the newest timeline number that it has heard of.
    """

    marks: Marks
    newest: int


Answers = Mapping[str, Answer | None]


def get_json(url: str, timeout_s: float = TIMEOUT_S) -> Any:  # noqa: ANN401  any JSON value
    """The JSON answer of a GET. Raises OSError (URLError among them) or ValueError."""
    with urllib.request.urlopen(url, timeout=timeout_s) as response:  # noqa: S310  built from the member's own config
        return json.load(response)


class Peers:
    """The other members' agents."""

    def __init__(self, cluster: Cluster, member: str, address: str) -> None:
        self.names = [name for name in cluster.members if name != member]
        known = known_addresses(cluster, address)
        self._urls = {name: f"http://{known.get(name, cluster.host(name))}:{cluster.agent_port}" for name in self.names}

    def ask(self, until: Callable[[Answers], bool]) -> dict[str, Answer | None]:
        """What each member says; None for one that does not answer within `TIMEOUT_S`.

        The answers that are in are handed to `until` as they come: when it is satisfied the rest is not waited for, so
        that a dead node costs no time.
        """
        found: dict[str, Answer | None] = dict.fromkeys(self.names)
        for name, answer in self._all(lambda url: ask_one(f"{url}/position")):
            found[name] = answer
            if until(found):
                break
        return found

    def reserve(self, number: int, enough: int) -> int:
        """Ask all for a timeline number, until `enough` have promised it; returns how many have."""
        granted = 0
        for _, promised in self._all(lambda url: reserve_one(f"{url}/reserve/{number}")):
            granted += promised
            if granted >= enough:
                break
        return granted

    def _all(self, call: Callable[[str], T]) -> Iterator[tuple[str, T]]:
        """Call all at once; yields what comes back within `TIMEOUT_S`, as it comes."""
        answers: queue.Queue[tuple[str, T]] = queue.Queue()

        def call_one(name: str) -> None:
            answers.put((name, call(self._urls[name])))

        for name in self.names:
            # daemons: a name lookup has no timeout, and must not hold up the end of the process
            threading.Thread(target=call_one, args=(name,), daemon=True).start()
        deadline = time.monotonic() + TIMEOUT_S
        for _ in self.names:
            try:
                yield answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return


def ask_one(url: str) -> Answer | None:
    """One member's answer, or None."""
    try:
        value = get_json(url)
        return Answer(decode(value), int(value["newest"]))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def reserve_one(url: str) -> bool:
    """Whether one member has promised a number."""
    try:
        # a body makes it a POST
        urllib.request.urlopen(url, b"", timeout=TIMEOUT_S).close()  # noqa: S310  built from the member's own config
    except OSError:
        return False
    return True


def known_addresses(cluster: Cluster, address: str) -> dict[str, str]:
    """The members' addresses as this member's Patroni knows them; none when it does not answer.

    They spare a failover the detour over DNS, whose server may be on the lost node.
    """
    try:
        listed = get_json(f"http://{address}:{cluster.patroni_port}/cluster")["members"]
        return {str(member["name"]): str(member["host"]) for member in listed if member.get("host")}
    except (OSError, KeyError, TypeError, ValueError):
        return {}
