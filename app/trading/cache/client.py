"""Redis through Sentinel: the current master, found again after every failover, with credentials from files."""

import logging
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Protocol, Self, TypeVar, cast

from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import AuthenticationError, ConnectionError, ReadOnlyError, ResponseError, TimeoutError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from trading.domain.errors import TradingError
from trading.security.credentials import MountedCredential
from trading.settings import Settings

T = TypeVar("T")
log = logging.getLogger(__name__)

TIMEOUT_S = 1.0
PAUSE_S = 0.2
TRANSIENT = (ConnectionError, TimeoutError, ReadOnlyError, MasterNotFoundError)
TRANSIENT_REPLIES = ("NOREPLICAS", "LOADING", "MASTERDOWN", "READONLY", "UNBLOCKED")


class Pipeline(Protocol):
    """The commands that we send together."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def watch(self, *names: str) -> object: ...
    def exists(self, *names: str) -> object: ...
    def multi(self) -> None: ...
    def xadd(
        self,
        name: str,
        fields: Mapping[str, str],
        *,
        id: str,
        maxlen: int,
        approximate: bool,
    ) -> object: ...
    def expire(self, name: str, time: int, *, nx: bool = False) -> object: ...
    def hset(self, name: str, *, mapping: Mapping[str, str]) -> object: ...
    def get(self, name: str) -> object: ...
    def hsetnx(self, name: str, key: str, value: str) -> object: ...
    def delete(self, name: str) -> object: ...
    def set(self, name: str, value: str, *, nx: bool = False, get: bool = False, ex: int | None = None) -> object: ...
    def incr(self, name: str) -> object: ...
    def ttl(self, name: str) -> object: ...
    def wait(self, num_replicas: int, timeout: int) -> object: ...
    def execute(self) -> Any: ...  # noqa: ANN401 - a reply for each command


class Redis(Protocol):
    """The commands that we use, with decoded replies."""

    def pipeline(self, *, transaction: bool) -> Pipeline: ...
    def xrevrange(self, name: str, *, count: int) -> list[tuple[str, dict[str, str]]]: ...
    def xadd(self, name: str, fields: Mapping[str, str], *, maxlen: int, approximate: bool) -> object: ...
    def xread(
        self, streams: Mapping[str, str], *, count: int, block: int
    ) -> list[tuple[str, list[tuple[str, dict[str, str]]]]]: ...
    def get(self, name: str) -> str | None: ...
    def hget(self, name: str, key: str) -> str | None: ...
    def delete(self, name: str) -> object: ...
    def hgetall(self, name: str) -> dict[str, str]: ...
    def decr(self, name: str) -> int: ...
    def ping(self) -> bool: ...


class CacheUnavailable(TradingError):
    """Redis has no usable master at the moment."""

    code = "CACHE_UNAVAILABLE"


class Cache:
    """Commands against the current master.

    Args:
        credential: the user's two passwords; the current one is tried first, on data nodes and Sentinels alike.
    """

    def __init__(self, settings: Settings, credential: MountedCredential) -> None:
        self._user = settings.redis_user
        self._credential = credential
        options: dict[str, Any] = {
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            "socket_keepalive": True,
            "redis_connect_func": self._log_in,
            "protocol": 2,
            "driver_info": None,
            "retry": Retry(NoBackoff(), 0),  # `run` is the one that tries again
        }
        self._sentinel = Sentinel(settings.redis_sentinels, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
        self._client = self._sentinel.master_for(  # type: ignore[no-untyped-call]
            settings.redis_master, decode_responses=True, max_connections=8, **options
        )
        self._redis = cast(Redis, self._client)
        self._suspect = False
        self._probe = Lock()

    def run(self, command: Callable[[Redis], T], *, deadline_s: float) -> T:
        """The result of an idempotent command, tried again across a failover; with deadline 0 it is tried once.

        Raises:
            CacheUnavailable: not before the deadline.
        """
        # While Redis is away one caller asks at a time and the others are told at once, so that waiting for it never
        # takes up the threads that serve orders.
        if not self._suspect:
            return self._run(command, deadline_s)
        if not self._probe.acquire(blocking=False):
            raise CacheUnavailable("Redis has no usable master at the moment; try again")
        try:
            return self._run(command, deadline_s)
        finally:
            self._probe.release()

    def _run(self, command: Callable[[Redis], T], deadline_s: float) -> T:
        deadline = time.monotonic() + deadline_s
        while True:
            try:
                result = command(self._redis)
                self._suspect = False
                return result
            except TRANSIENT as error:
                cause: Exception = error
            except ResponseError as error:
                if not str(error).startswith(TRANSIENT_REPLIES):
                    raise
                cause = error
            self._suspect = True
            # What is left in the pool may lead to the old master.
            self._client.connection_pool.disconnect(inuse_connections=False)
            if time.monotonic() + PAUSE_S >= deadline:
                raise CacheUnavailable("Redis has no usable master at the moment; try again") from cause
            time.sleep(PAUSE_S)

    def drain(self) -> None:
        """Log in anew with the next command of each connection: the mounted password has changed."""
        self._client.connection_pool.disconnect(inuse_connections=False)
        for sentinel in self._sentinel.sentinels:
            sentinel.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._sentinel.close()

    def _log_in(self, connection: Connection) -> None:
        connection.on_connect()  # type: ignore[no-untyped-call]
        (_, password), (_, previous) = self._credential.get().in_order()
        try:
            self._authenticate(connection, password)
        except AuthenticationError:
            self._authenticate(connection, previous)

    def _authenticate(self, connection: Connection, password: str) -> None:
        connection.send_command("AUTH", self._user, password, check_health=False)  # type: ignore[no-untyped-call]
        connection.read_response()
