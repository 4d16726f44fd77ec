"""Ask the other members' agents what they held."""

import json
import queue
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.postgres.image.member.marks import Marks, decode
from components.postgres.image.member.paths import Cluster

TIMEOUT_S = 1.0
Answers = Mapping[str, Marks | None]


def get_json(url: str, timeout_s: float = TIMEOUT_S) -> Any:  # noqa: ANN401  any JSON value
    """The JSON answer of a GET. Raises OSError (URLError among them) or ValueError."""
    with urllib.request.urlopen(url, timeout=timeout_s) as response:  # noqa: S310  built from the member's own config
        return json.load(response)


def ask(
    cluster: Cluster, others: Sequence[str], address: str, *, until: Callable[[Answers], bool]
) -> dict[str, Marks | None]:
    """What each member says it held; None for one that does not answer within `TIMEOUT_S`.

    All are asked at once, and the answers that are in are handed to `until` as they come: when it is satisfied the rest
    is not waited for, so that a dead node costs no time.
    """
    found: dict[str, Marks | None] = dict.fromkeys(others)
    addresses = known_addresses(cluster, address)
    answers: queue.Queue[tuple[str, Marks | None]] = queue.Queue()

    def ask_into(name: str) -> None:
        answers.put((name, ask_one(addresses.get(name, cluster.host(name)), cluster.agent_port)))

    for name in others:
        # daemons: a name lookup has no timeout, and must not hold up the end of the process
        threading.Thread(target=ask_into, args=(name,), daemon=True).start()
    deadline = time.monotonic() + TIMEOUT_S
    for _ in others:
        try:
            name, marks = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = marks
        if until(found):
            break
    return found


def ask_one(host: str, port: int) -> Marks | None:
    """One member's marks, or None."""
    try:
        return decode(get_json(f"http://{host}:{port}/position"))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def known_addresses(cluster: Cluster, address: str) -> dict[str, str]:
    """The members' addresses as this member's Patroni knows them; none when it does not answer.

    They spare a failover the detour over DNS, whose server may be on the lost node.
    """
    try:
        listed = get_json(f"http://{address}:{cluster.patroni_port}/cluster")["members"]
        return {str(member["name"]): str(member["host"]) for member in listed if member.get("host")}
    except (OSError, KeyError, TypeError, ValueError):
        return {}
