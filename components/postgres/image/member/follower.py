"""Make this member follow its mounted credentials and configuration."""

import json
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg

from components.postgres.image.member import credentials, login, pgbackrest, render, roles, server
from components.postgres.image.member.credentials import Credential
from components.postgres.image.member.dynamic import changes
from components.postgres.image.member.paths import Cluster, Paths
from components.postgres.image.member.peers import get_json
from components.postgres.image.member.turns import my_turn

FULL_PASS_S = 30.0
TURN_EVERY_S = 5.0
RESTART_S = 90.0
TIMEOUT_S = 5.0


def say(text: str) -> None:
    """One line into the pod's log."""
    print(f"agent: {text}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log is its only channel


class Following(NamedTuple):
    """How far a member is with one kind of credential.

    Attributes:
        mounted: the epoch that is mounted.
        applied: the same epoch once this member works with it; None until then.
    """

    mounted: int
    applied: int | None


class Follower:
    """State of one member's following.

    Attributes:
        kinds: kind to its `Following`. Replaced as a whole: another thread that reads it sees one moment.
    """

    def __init__(self, paths: Paths, cluster: Cluster, member: str, address: str) -> None:
        self.kinds: Mapping[str, Following] = {}
        self._paths = paths
        self._cluster = cluster
        self._member = member
        self._address = address
        self._looked: tuple[Credential, Credential, bool] | None = None
        self._next_pass = 0.0
        self._arrived = False
        self._common: str | None = None
        self._reload = False
        self._next_turn = 0.0

    def step(self, *, running: bool, primary: bool) -> None:
        """Bring everything one step nearer; safe to call at any time, quiet when there is nothing to do."""
        app = credentials.read(self._paths.credentials, credentials.APP)
        replication = credentials.read(self._paths.credentials, credentials.REPLICATION)
        self._see({credentials.APP: app.epoch, credentials.REPLICATION: replication.epoch})
        if running:
            self._follow_roles(app, replication, primary)
        self._follow_login(replication)
        self._follow_config(primary)
        if (self._paths.credentials / "postgres-backup").exists() and pgbackrest.write_secrets(self._paths):
            say("wrote the secrets of the repository")
        self._follow_restart()

    def _see(self, mounted: Mapping[str, int]) -> None:
        """Note what is mounted; what was applied of another epoch counts no more."""
        before = {kind: known.applied for kind, known in self.kinds.items()}
        self.kinds = {k: Following(epoch, epoch if before.get(k) == epoch else None) for k, epoch in mounted.items()}

    def _apply(self, kind: str, *, done: bool) -> None:
        """Note whether this member works with what is mounted."""
        epoch = self.kinds[kind].mounted
        self.kinds = {**self.kinds, kind: Following(epoch, epoch if done else None)}

    def _follow_roles(self, app: Credential, replication: Credential, primary: bool) -> None:
        """Roles are written by the primary; a standby sees in its own copy whether they have arrived."""
        looked = (app, replication, primary)
        everywhere = all(known.applied is not None for known in self.kinds.values())
        if looked == self._looked and (everywhere or primary) and time.monotonic() < self._next_pass:
            return
        wanted = roles.logins(app, replication)
        with server.connect(self._paths.sockets, self._cluster.postgres_port) as connection:
            if primary:
                for change in roles.apply_roles(connection, wanted, self._cluster.database):
                    say(f"applied: {change}")
            arrived = roles.in_step(connection, wanted)
        self._apply(credentials.APP, done=arrived)
        self._arrived = arrived
        self._looked, self._next_pass = looked, time.monotonic() + FULL_PASS_S

    def _follow_login(self, replication: Credential) -> None:
        """Log in to other members with the current slot as soon as the primary knows it."""
        config, passwords = render.member_file(self._paths), render.password_file(self._paths)
        if not config.exists():
            return
        before = config.read_text(), passwords.read_text()
        lines = render.password_lines(replication)
        in_use = before == (self._config(replication.current), lines)
        self._apply(credentials.REPLICATION, done=in_use and self._arrived)
        if in_use:
            return
        slot = login.working_slot(self._cluster, replication)
        if slot is None:
            return
        if before[1] != lines:
            render.write_private(passwords, lines)
        if before[0] != self._config(slot):
            render.write_private(config, self._config(slot))
            say(f"logging in to other members with slot {slot}")
            self._reload = True

    def _config(self, slot: credentials.Slot) -> str:
        return render.member_config(self._cluster, self._member, self._address, slot)

    def _follow_config(self, primary: bool) -> None:
        """Reload Patroni when its files changed; the primary also brings the cluster's settings in step."""
        common = (self._paths.config / "patroni.yml").read_text()
        self._reload |= self._common is not None and common != self._common
        self._common = common
        if self._reload:
            self._call("POST", "/reload")
            self._reload = False
        if primary:
            wanted = json.loads((self._paths.config / "dynamic.json").read_text())
            url = f"http://{self._address}:{self._cluster.patroni_port}/config"
            if changed := changes(get_json(url), wanted):
                self._call("PATCH", "/config", changed)
                say(f"changed settings of the cluster: {', '.join(sorted(changed))}")

    def _follow_restart(self) -> None:
        """Restart PostgreSQL, when it is this member's turn, for settings that wait for it."""
        if time.monotonic() < self._next_turn:
            return
        self._next_turn = time.monotonic() + TURN_EVERY_S
        patroni = f"http://{self._address}:{self._cluster.patroni_port}"
        if my_turn(get_json(f"{patroni}/cluster"), self._member, len(self._cluster.members)):
            say("restarting PostgreSQL for settings that need it")
            self._call("POST", "/restart", {"restart_pending": True}, timeout_s=RESTART_S)

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        url = f"http://{self._address}:{self._cluster.patroni_port}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)
        urllib.request.urlopen(request, timeout=timeout_s).close()  # noqa: S310  this member's own Patroni


def follow_once(follower: Follower, *, running: bool, primary: bool, said: str) -> str:
    """One step; a failure is said once as long as it stays the same, and never ends the agent. Returns it."""
    try:
        follower.step(running=running, primary=primary)
    except (OSError, ValueError, psycopg.Error) as error:
        trouble = f"{type(error).__name__}: {error}"
        if trouble != said:
            say(f"cannot follow yet: {trouble}")
        return trouble
    return ""
