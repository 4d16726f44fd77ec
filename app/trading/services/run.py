"""Starts a role and stops it in order on SIGTERM or SIGINT."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

from trading.cache.client import Cache
from trading.marketdata.calendar import nse_calendar
from trading.marketdata.source import open_source
from trading.risk.checks import Limits
from trading.risk.killswitch import DrawdownLimits
from trading.security.allowlist import Allowlist
from trading.security.credentials import MountedCredential
from trading.services.backtests import Backtests
from trading.services.broker import fit, opened
from trading.services.cache import CacheWarmer
from trading.services.credentialwatch import CredentialWatch
from trading.services.engine import Engine
from trading.services.execution import Execution
from trading.services.health import Checks, HealthServer, Heartbeat
from trading.services.leader import Admit, Lead, Leader
from trading.services.logs import configure
from trading.services.marketdata import MarketData
from trading.services.risk import RiskWatch
from trading.services.scheduler import Scheduler
from trading.settings import Settings
from trading.storage.broker import must_suit
from trading.storage.connection import logins
from trading.storage.database import Database
from trading.storage.leadership import ENGINE, EXECUTION, MARKETDATA, RISK, SCHEDULER

log = logging.getLogger(__name__)
Address = tuple[str, int]


def run_marketdata(settings: Settings, address: Address) -> None:
    """Play market data, or stand by, until told to stop.

    Raises:
        MarketDataError: the file is corrupt; nothing was played.
    """
    source = open_source(settings.feed_source, settings.seed, quarantine=settings.feed_quarantine)
    speed = float(settings.feed_speed)
    _lead(MARKETDATA, settings, address, lambda cache: MarketData(source, cache, speed).lead)


def run_risk(settings: Settings, address: Address) -> None:
    """Watch what accounts are worth, or stand by, until told to stop."""
    _lead(RISK, settings, address, lambda _: RiskWatch(DrawdownLimits()).lead)


def run_scheduler(settings: Settings, address: Address) -> None:
    """Do what is due, or stand by, until told to stop."""
    _lead(SCHEDULER, settings, address, lambda _: Scheduler(nse_calendar(), Backtests(), _limits(settings)).lead)


def run_cache(settings: Settings, address: Address) -> None:
    """Keep Redis warm until told to stop."""
    stop = _stop_on_signals()
    configure("cache", settings.log_level)
    postgres, redis = _credentials(settings)
    database = Database(logins(settings, postgres, _name("cache")), max_size=1)
    cache = Cache(settings, redis)
    database.open()
    try:
        warmer = CacheWarmer(database, cache)
        with (
            _watching([(postgres, database.drain), (redis, cache.drain)]),
            _health(address, warmer.heartbeat, warmer.ready),
        ):
            warmer.run(stop)
    finally:
        database.close()
        cache.close()


def run_engine(settings: Settings, address: Address) -> None:
    """Decide, or stand by, until told to stop."""
    _lead(ENGINE, settings, address, lambda cache: Engine(cache, _limits(settings)).lead)


def run_execution(settings: Settings, address: Address) -> None:
    """Execute orders, or stand by, until told to stop.

    Raises:
        TradingError: the broker cannot be used as it is set up, or cannot take over what is in the books.
    """
    wanted = fit(settings)
    _lead(
        EXECUTION,
        settings,
        address,
        lambda cache: Execution(cache, partial(opened, settings), wanted).lead,
        admit=lambda connection: must_suit(connection, wanted),
    )


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


ROLES: dict[str, Callable[[Settings, Address], None]] = {
    "api": run_api,
    "engine": run_engine,
    "execution": run_execution,
    "marketdata": run_marketdata,
    "risk": run_risk,
    "cache": run_cache,
    "scheduler": run_scheduler,
}


def _limits(settings: Settings) -> Limits:
    return Limits(max_orders_a_second=settings.max_orders_a_second)


def _lead(
    role: str,
    settings: Settings,
    address: Address,
    work: Callable[[Cache], Lead],
    *,
    admit: Admit = lambda _: None,
) -> None:
    """Lead a role that works on both stores."""
    stop = _stop_on_signals()
    configure(role, settings.log_level)
    postgres, redis = _credentials(settings)
    cache = Cache(settings, redis)
    leader = Leader(
        role, logins(settings, postgres, _name(role)), work(cache), holder=socket.gethostname(), admit=admit
    )
    try:
        with (
            _watching([(postgres, leader.renew), (redis, cache.drain)]),
            _health(address, leader.heartbeat, leader.ready),
        ):
            leader.run(stop)
    finally:
        cache.close()


def _credentials(settings: Settings) -> tuple[MountedCredential, MountedCredential]:
    folder, settle_s = settings.credentials_dir, settings.credentials_settle_s
    postgres, redis = (MountedCredential(folder, kind, settle_s=settle_s) for kind in ("postgres-app", "redis-app"))
    return postgres, redis


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
