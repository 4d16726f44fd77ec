"""How often somebody may try a password, counted in Redis for all pods together."""

from trading.cache.client import Cache, Redis

WINDOW_S = 300
BY_NAME = 5  # failures of one name from one address in a row
BY_ADDRESS = 50  # tries from one address, whatever the names
DEADLINE_S = 1.0


def attempt(cache: Cache, name: str, address: str) -> int | None:
    """Count a try; None when it may be made, else the seconds after which it may.

    It is counted before the password is looked at, so that many at once count as many.

    Raises:
        CacheUnavailable: nobody can be counted, so nobody may try.
    """

    def count(redis: Redis) -> list[int]:
        with redis.pipeline(transaction=True) as pipe:
            for key in (_by_name(name, address), _by_address(address)):
                pipe.incr(key)
                pipe.expire(key, WINDOW_S, nx=True)
                pipe.ttl(key)
            counted: list[int] = pipe.execute()
        return counted

    of_name, _, name_s, of_address, _, address_s = cache.run(count, deadline_s=DEADLINE_S)
    waits = [
        left for tries, most, left in ((of_name, BY_NAME, name_s), (of_address, BY_ADDRESS, address_s)) if tries > most
    ]
    return max(waits) if waits else None


def succeeded(cache: Cache, name: str, address: str) -> None:
    """Forget the failures of a name from an address."""
    cache.run(lambda redis: redis.delete(_by_name(name, address)), deadline_s=DEADLINE_S)


def _by_name(name: str, address: str) -> str:
    return f"trading:login:{name}:{address}"


def _by_address(address: str) -> str:
    return f"trading:login-address:{address}"
