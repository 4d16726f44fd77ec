"""Ask the agents of the other nodes for their state."""

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException

from components.redis.image.bootstrap import Whole
from components.redis.image.settings import AGENT_PORT, REDIS_PORT, Settings
from components.redis.image.state import MemberState, NotAState, SentinelState

TIMEOUT_S = 1.0
MAX_BYTES = 65536


def look(settings: Settings) -> Whole:
    """Ask everybody but this node, at once; whoever does not answer within `TIMEOUT_S` is left out."""
    member_at = {n: address for n, address in enumerate(settings.members) if address != settings.address}
    sentinel_at = {n: address for n, address in enumerate(settings.sentinels) if address != settings.address}
    with ThreadPoolExecutor(len(member_at) + len(sentinel_at)) as pool:
        members = dict(zip(member_at, pool.map(_member, member_at.values()), strict=True))
        sentinels = dict(zip(sentinel_at, pool.map(_sentinel, sentinel_at.values()), strict=True))
    return Whole(
        members=len(settings.members),
        sentinels=len(settings.sentinels),
        peers={n: state for n, state in members.items() if state},
        watchers={n: state for n, state in sentinels.items() if state},
        addresses={f"{address}:{REDIS_PORT}": n for n, address in enumerate(settings.members)},
        down_after_s=settings.down_after_s,
    )


def _member(address: str) -> MemberState | None:
    try:
        return MemberState.from_json(_state(address))
    except (OSError, HTTPException, NotAState):
        return None


def _sentinel(address: str) -> SentinelState | None:
    try:
        return SentinelState.from_json(_state(address))
    except (OSError, HTTPException, NotAState):
        return None


def _state(address: str) -> str:
    connection = HTTPConnection(address, AGENT_PORT, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/state")
        response = connection.getresponse()
        if response.status != 200:
            raise HTTPException(f"status {response.status}")
        return response.read(MAX_BYTES).decode(errors="replace")
    finally:
        connection.close()
