"""Nonces in Redis, each noted once, on more than one member before it counts."""

import secrets

from trading.cache.client import Cache, CacheUnavailable, Redis
from trading.security.signing import Stamp

DEADLINE_S = 1.0
REPLICAS = 1
WAIT_MS = 300


def claim(cache: Cache, stamp: Stamp, life_s: int) -> bool:
    """Note a nonce for `life_s` seconds; False when it is noted already.

    The value is this call's own, so that a claim whose answer was lost is known again as ours when it is repeated. A
    failover forgets what only the old master knew; so it counts when a replica has it too, which Sentinel then prefers
    for having more than the others.

    Raises:
        CacheUnavailable: there is no master, or no replica has it: nobody can say that it will be remembered.
    """
    ours = secrets.token_hex(8)

    def attempt(redis: Redis) -> tuple[str | None, int]:
        with redis.pipeline(transaction=False) as pipe:
            pipe.set(f"trading:nonce:{stamp.key_id}:{stamp.nonce}", ours, nx=True, get=True, ex=life_s)
            pipe.wait(REPLICAS, WAIT_MS)
            before, replicas = pipe.execute()
        return before, replicas

    before, replicas = cache.run(attempt, deadline_s=DEADLINE_S)
    if before not in (None, ours):
        return False
    if replicas < REPLICAS:
        raise CacheUnavailable("no replica of Redis has taken the nonce; sign again")
    return True
