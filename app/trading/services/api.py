"""The API role: gunicorn with one worker of a few threads; more load is more pods."""

import socket
from typing import Any

from apiflask import APIFlask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from trading.api.app import create_app
from trading.api.deps import Dependencies
from trading.api.stream import Streams
from trading.cache.client import Cache
from trading.risk.checks import Limits
from trading.security.access import Access
from trading.security.allowlist import Allowlist
from trading.security.credentials import MountedCredential
from trading.services.allowlistwatch import AllowlistWatch
from trading.services.credentialwatch import CredentialWatch
from trading.services.logs import configure
from trading.settings import Settings
from trading.storage.connection import logins
from trading.storage.database import Database
from trading.storage.standbys import Standbys

THREADS = 12  # of which streams of quotes keep four at most
CONNECTIONS = 4
GRACEFUL_S = 20
KINDS = ("postgres-app", "redis-app", "api", "jwt")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {
        "gunicorn.error": {"propagate": True, "handlers": [], "level": "WARNING"},
        "gunicorn.access": {"propagate": False, "handlers": [], "level": "CRITICAL"},
    },
}


class ApiServer(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured from here alone; stores are opened in the worker, after the fork."""

    def __init__(self, settings: Settings, address: tuple[str, int]) -> None:
        self._settings = settings
        self._address = address
        self._streams = Streams()
        super().__init__()

    def load_config(self) -> None:
        """See `BaseApplication.load_config`."""
        host, port = self._address
        options: dict[str, Any] = {
            "bind": f"{host}:{port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": GRACEFUL_S,
            "keepalive": 65,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - in memory, and there on a read-only root
            "control_socket_disable": True,
            "logconfig_dict": LOGGING,
            "proc_name": "trading-api",
            "post_worker_init": lambda worker: self._streams.until(lambda: not worker.alive),
            "worker_exit": lambda _arbiter, worker: worker.app.close(),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> APIFlask:
        """The app of the worker."""
        configure("api", self._settings.log_level)
        folder, settle_s = self._settings.credentials_dir, self._settings.credentials_settle_s
        postgres, redis, keys, tokens = (MountedCredential(folder, kind, settle_s=settle_s) for kind in KINDS)
        name = f"trading-api {socket.gethostname()}"
        login = logins(self._settings, postgres, name)
        wait_s = self._settings.standby_wait_ms / 1000
        has_standbys = wait_s > 0 and len(self._settings.postgres_hosts) > 1
        standbys = Standbys(login, max_size=CONNECTIONS, wait_s=wait_s) if has_standbys else None
        self._database = Database(login, max_size=CONNECTIONS, standbys=standbys)
        self._cache = Cache(self._settings, redis)
        self._watch = CredentialWatch(
            [
                (postgres, self._database.drain),
                (redis, self._cache.drain),
                (keys, lambda: None),
                (tokens, lambda: None),
            ]
        )
        allowlist = Allowlist(self._settings.allowlist_file, self._settings.trusted_proxies, version=None)
        self._allowlist_watch = AllowlistWatch(allowlist, self._database)
        self._database.open()
        self._watch.start()
        self._allowlist_watch.start()
        access, signing = Access.of(tokens), self._settings.signing
        limits = Limits(max_orders_a_second=self._settings.max_orders_a_second)
        return create_app(
            Dependencies(
                self._database,
                self._cache,
                keys,
                limits,
                access,
                allowlist,
                signing,
                requests_a_minute=self._settings.requests_a_minute,
                streams=self._streams,
            )
        )

    def close(self) -> None:
        """Close what `load` has opened."""
        self._allowlist_watch.stop()
        self._watch.stop()
        self._database.close()
        self._cache.close()
