"""Starts a role and stops it in order on SIGTERM or SIGINT."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from trading.cache.client import Cache
from trading.marketdata.source import open_source
from trading.security.allowlist import Allowlist
from trading.security.credentials import MountedCredential
from trading.services.credentialwatch import CredentialWatch
from trading.services.engine import Engine
from trading.services.feed import Feed
from trading.services.health import Checks, HealthServer, Heartbeat
from trading.services.logs import configure
from trading.settings import Settings
from trading.storage.connection import logins
from trading.storage.database import Database

log = logging.getLogger(__name__)
Address = tuple[str, int]


def run_feed(settings: Settings, address: Address) -> None:
    """Play market data until told to stop.

    Raises:
        MarketDataError: the file is corrupt; nothing was played.
    """
    stop = _stop_on_signals()
    configure("feed", settings.log_level)
    source = open_source(settings.feed_source, settings.seed)
    postgres, redis = _credentials(settings)
    database = Database(logins(settings, postgres, _name("feed")), max_size=1)
    cache = Cache(settings, redis)
    database.open()
    try:
        feed = Feed(source, database, cache, float(settings.feed_speed))
        with (
            _watching([(postgres, database.drain), (redis, cache.drain)]),
            _health(address, feed.heartbeat, feed.ready),
        ):
            feed.run(stop)
    finally:
        database.close()
        cache.close()


def run_engine(settings: Settings, address: Address) -> None:
    """Trade, or stand by, until told to stop."""
    stop = _stop_on_signals()
    configure("engine", settings.log_level)
    postgres, redis = _credentials(settings)
    cache = Cache(settings, redis)
    engine = Engine(logins(settings, postgres, _name("engine")), cache, seed=settings.seed, holder=socket.gethostname())
    try:
        with (
            _watching([(postgres, engine.renew), (redis, cache.drain)]),
            _health(address, engine.heartbeat, engine.ready),
        ):
            engine.run(stop)
    finally:
        cache.close()


def run_api(settings: Settings, address: Address) -> None:
    """Serve the API until told to stop.

    Raises:
        AllowlistError: the file of the allowlist is not right.
    """
    # Here, not above: the other roles need none of the web stack's memory.
    from trading.services.api import KINDS, ApiServer

    configure("api", settings.log_level)
    for kind in KINDS:
        MountedCredential(settings.credentials_dir, kind).get()
    Allowlist(settings.allowlist_file, settings.trusted_proxies, version=None)  # a wrong file is told here, in one line
    ApiServer(settings, address).run()


ROLES: dict[str, Callable[[Settings, Address], None]] = {"feed": run_feed, "engine": run_engine, "api": run_api}


def _credentials(settings: Settings) -> tuple[MountedCredential, MountedCredential]:
    folder = settings.credentials_dir
    return MountedCredential(folder, "postgres-app"), MountedCredential(folder, "redis-app")


def _name(role: str) -> str:
    return f"trading-{role} {socket.gethostname()}"


def _stop_on_signals() -> Event:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@contextmanager
def _watching(watched: list[tuple[MountedCredential, Callable[[], None]]]) -> Iterator[None]:
    watch = CredentialWatch(watched)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


@contextmanager
def _health(address: Address, heartbeat: Heartbeat, ready: Callable[[], Checks]) -> Iterator[None]:
    server = HealthServer(address, lambda: {"loop": heartbeat.check()}, ready)
    server.start()
    log.info("serving health and metrics", extra={"port": address[1]})
    try:
        yield
    finally:
        server.stop()
        log.info("stopped")
