"""compose.yaml: every role and user of it exists, nothing in it is open that need not be, and its commands trade."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components.redis.image.acl import APP_ON_MEMBER, APP_ON_SENTINEL, SENTINEL_ON_MEMBER
from toolchain.compose import setup
from toolchain.dev.servers import REDIS_BINARY, WITH_US, eventually, free_port, install
from toolchain.kit.paths import ROOT
from trading.services.run import ROLES
from trading.settings import from_environment

FILE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
# of each volume, the folder below /made in which `setup` fills it
FILLED = dict(mount.split(":")[:2] for mount in SERVICES["setup"]["volumes"][1:])


def default(text: object) -> str:
    """A value as it is where the environment says nothing."""
    return VARIABLE.sub(r"\1", str(text))


def test_every_role_is_a_service_with_settings_that_it_knows() -> None:
    commands = {name: service["command"] for name, service in SERVICES.items()}
    assert {name: ["trading", "run", name] for name in ROLES} == {name: commands[name] for name in ROLES}
    for name in ROLES:
        env = {key: default(value) for key, value in SERVICES[name]["environment"].items()}
        settings = from_environment(env)
        assert (settings.postgres_hosts, settings.broker.name) == ((("postgres", 5432),), "paper")
        known = set(re.findall(r'reader\.get\("(\w+)"', (ROOT / "app/trading/settings.py").read_text()))
        assert {key.removeprefix("TRADING_") for key in env} <= known


def test_users_are_those_of_the_images_and_only_who_makes_the_secrets_is_root() -> None:
    images = {}
    for service in SERVICES.values():
        if build := service.get("build"):
            text = (ROOT / build["dockerfile"]).read_text()
            images[service["image"]] = re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1]
    assert SERVICES["setup"]["user"] == "0:0"
    assert {name: images[s["image"]] for name, s in SERVICES.items() if name != "setup"} == {
        name: s["user"] for name, s in SERVICES.items() if name != "setup"
    }
    owners = {f"{setup.USERS[FILLED[v].removeprefix('/made/')]}" for v in ("postgres-files", "postgres-data")}
    assert owners == {SERVICES["postgres"]["user"].split(":")[0]}


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_open_that_need_not_be(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert ("outside" in service.get("networks", [])) is (name == "api")
    volumes = [mount.split(":")[0] for mount in service.get("volumes", [])]
    assert {volume for volume in volumes if not volume.startswith(".")} <= FILE["volumes"].keys()
    assert set(service.get("depends_on", {})) <= SERVICES.keys()


def test_only_the_api_has_the_keys_of_the_api() -> None:
    with_keys = {name for name, service in SERVICES.items() if "api-credentials" in str(service.get("volumes"))}
    assert with_keys == {"setup", "api"}


def test_redis_lets_its_users_do_what_they_may_on_the_platform() -> None:
    assert (setup.TRADE, setup.WATCH, setup.ASK) == (APP_ON_MEMBER, SENTINEL_ON_MEMBER, APP_ON_SENTINEL)


def test_what_is_made_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "USERS", {})
    setup.main(tmp_path)
    first = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    setup.main(tmp_path)
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == first
    assert len({first[tmp_path / "api" / kind / slot] for kind in setup.ALL for slot in "ab"}) == 8
    assert {path.stat().st_mode & 0o077 for path in first if path.name != setup.DONE} == {0}


class Machine:
    """The services as processes of this machine: their own commands, with the paths, hosts and ports that are free."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {name: free_port() for name in ("postgres", "redis", "sentinel", *ROLES)}
        programs = folder / "bin"
        programs.mkdir()
        for name in ("redis-server", "redis-cli"):
            (programs / name).symlink_to(REDIS_BINARY)
        self._path = f"{programs}:{install()}:/usr/bin:/bin"

    def edit(self, name: str, changes: Mapping[str, str]) -> None:
        """Put what is free here into a file that `setup` has made."""
        path = self.folder / name
        text = path.read_text()
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        path.write_text(text)

    def start(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """The service's command."""
        service = SERVICES[name]
        places = {}
        for mount in service["volumes"]:
            volume, target, *_ = mount.split(":")
            places[target] = str(self.folder) + FILLED[volume].removeprefix("/made")
        command = [places.get(part) or self._moved(part, places) for part in service["command"]]
        if command[0] == "trading":
            command[:1] = [sys.executable, "-m", "trading"]
        env = {key: self._moved(default(value), places) for key, value in service.get("environment", {}).items()}
        env |= {"PATH": self._path, "PGPORT": str(self.ports["postgres"])}
        user: tuple[str, ...] = WITH_US
        if name == "postgres" and os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            user = (*WITH_US, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen([*user, *command, *more], env=env, stdout=log, stderr=log, cwd="/")
        self._stack.callback(process.wait, 20)
        self._stack.callback(process.terminate)
        self._running[name] = process
        return process

    def answers(self, role: str) -> bool:
        """Whether a role is ready; fails at once where a service has ended."""
        ended = [name for name, process in self._running.items() if process.poll() not in (None, 0)]
        assert not ended, self.said()
        return httpx.get(f"http://127.0.0.1:{self.ports[role]}/health/ready", timeout=5).status_code == httpx.codes.OK

    def said(self) -> str:
        """All that the services have logged."""
        return "".join(log.read_text() for log in self.folder.glob("*.log"))

    def _moved(self, text: str, places: Mapping[str, str]) -> str:
        for target, place in places.items():
            text = re.sub(rf"^{target}(?=/|$)", place, text)
        for host, port in (("postgres", 5432), ("sentinel", 26379)):
            text = text.replace(f"{host}:{port}", f"127.0.0.1:{self.ports[host]}")
        return text


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    folder = Path("/var/tmp") / f"trading-compose-{os.getpid()}"  # another user must reach it
    folder.mkdir(mode=0o711)
    users: dict[str, int] = {}
    if os.geteuid() == 0:
        users = {name: pwd.getpwnam("postgres").pw_uid for name in ("postgres", "postgres-data")}
        (folder / "postgres-data").mkdir()
    monkeypatch.setattr(setup, "USERS", users)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        made = Machine(folder, stack)
        setup.main(folder)
        for name in ("postgres-data", "redis-data"):
            (folder / name).mkdir(exist_ok=True)
        yield made


@pytest.mark.cluster
def test_the_commands_of_the_file_trade(machine: Machine) -> None:
    ports = machine.ports
    machine.edit("postgres/start.sh", {"listen_addresses='*'": "listen_addresses=127.0.0.1"})
    machine.edit("redis/redis.conf", {"port 6379": f"port {ports['redis']}", "bind *": "bind 127.0.0.1"})
    # the Redis of this machine may be older than that of the image, and not know CLIENT SETINFO
    changes = {"port 26379": f"port {ports['sentinel']}", "bind *": "bind 127.0.0.1", "+client|setinfo ": ""}
    machine.edit("sentinel/sentinel.conf", changes | {"redis 6379": f"127.0.0.1 {ports['redis']}"})
    for name in ("postgres", "redis", "sentinel"):
        machine.start(name)
    assert machine.start("migrate").wait(60) == 0, machine.said()
    for role in ROLES:
        machine.start(role, "--listen", f"127.0.0.1:{ports[role]}")
    eventually(lambda: all(machine.answers(role) for role in ROLES), 60, "every role is ready")
    key = (machine.folder / "api" / "api" / "a").read_text()
    with httpx.Client(base_url=f"http://127.0.0.1:{ports['api']}/v1", headers={"X-API-Key": key}, timeout=5) as api:
        eventually(lambda: api.get("/trades").json()["trades"] != [], 60, "a strategy has traded")
    secrets = [path.read_text() for path in machine.folder.glob("*/*/[ab]")]
    assert not [secret for secret in secrets if secret in machine.said()]
