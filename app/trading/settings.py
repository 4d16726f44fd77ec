"""Settings from the environment: read once, all problems in one message, nothing secret among them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from trading.domain.errors import TradingError
from trading.domain.prices import parse_decimal
from trading.security.addresses import InvalidNetwork, Networks, networks
from trading.security.signing import Signing

T = TypeVar("T")
Address = tuple[str, int]
REFUSE, QUARANTINE = "refuse", "quarantine"
PAPER = "paper"
BROKER_NAME = re.compile("[a-z][a-z0-9_-]{0,39}")
ALGO_ID = re.compile("[A-Za-z0-9_-]{1,40}")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(TradingError):
    """Environment variables that are missing or wrong, one line each."""

    code = "SETTINGS"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Where orders go: `TRADING_BROKER`, and the variables that begin with `TRADING_BROKER_`.

    Attributes:
        name: `paper`, `http`, or what an installed package adds (`trading.execution.registry`).
        url: of its API; empty where it has none.
        timeout_s: how long one call of it may take.
        postback: where its calls back are listened to; None for nowhere.
        algo_id: the exchange's tag of LIVE orders that no strategy decides, those of people; empty for none.
        is_sandbox: whether nothing real is traded there, whatever it says.
    """

    name: str = PAPER
    url: str = ""
    timeout_s: Decimal = Decimal(3)
    postback: Address | None = None
    algo_id: str = ""
    is_sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every role is told; see the variable of the same name, with the prefix `TRADING_`.

    Attributes:
        postgres_hosts: every member, in any order; the writable one is found by asking.
        postgres_user: the login is `<user>_<slot>`.
        standby_wait_ms: that a list waits for a standby that is behind, before the primary answers; 0 never asks one.
        credentials_settle_s: see `trading.security.credentials.MountedCredential`.
        feed_source: `synthetic`, or the path of a CSV or Parquet file.
        feed_speed: bars of each symbol played a second.
        feed_quarantine: whether corrupt rows of a file are left out and counted; otherwise the file is refused.
        seed: of the synthetic market and the paper venue.
        max_orders_a_second: see `trading.risk.checks.Limits`.
        requests_a_minute: that one caller of the API may send, whatever they ask for.
        allowlist_file: networks from which the API may be used, one a line; None for none.
        trusted_proxies: whose X-Forwarded-For says where a request came from.
        signing: which requests to the API must be signed.
        broker: where orders go.
    """

    postgres_hosts: tuple[Address, ...]
    postgres_database: str
    postgres_user: str
    standby_wait_ms: int
    redis_sentinels: tuple[Address, ...]
    redis_master: str
    redis_user: str
    credentials_dir: Path
    credentials_settle_s: int
    feed_source: str
    feed_speed: Decimal
    feed_quarantine: bool
    seed: int
    max_orders_a_second: int
    requests_a_minute: int
    log_level: str
    allowlist_file: Path | None
    trusted_proxies: Networks
    signing: Signing
    broker: BrokerSettings = BrokerSettings()


def from_environment(env: Mapping[str, str]) -> Settings:
    """The settings in `TRADING_*` variables.

    Raises:
        SettingsError: with every problem at once.
    """
    reader = _Reader(env)
    settings = Settings(
        postgres_hosts=reader.get("POSTGRES_HOSTS", _addresses, None),
        postgres_database=reader.get("POSTGRES_DATABASE", _text, "trading"),
        postgres_user=reader.get("POSTGRES_USER", _text, "trading"),
        standby_wait_ms=reader.get("STANDBY_WAIT_MS", _wait_ms, "50"),
        redis_sentinels=reader.get("REDIS_SENTINELS", _addresses, None),
        redis_master=reader.get("REDIS_MASTER", _text, "trading"),
        redis_user=reader.get("REDIS_USER", _text, "trading"),
        credentials_dir=reader.get("CREDENTIALS_DIR", Path, "/credentials"),
        credentials_settle_s=reader.get("CREDENTIALS_SETTLE_S", _settle, "90"),
        feed_source=reader.get("FEED_SOURCE", _text, "synthetic"),
        feed_speed=reader.get("FEED_SPEED", _speed, "1"),
        feed_quarantine=reader.get("FEED_BAD_ROWS", _bad_rows, REFUSE) == QUARANTINE,
        seed=reader.get("SEED", _seed, "1"),
        max_orders_a_second=reader.get("MAX_ORDERS_A_SECOND", _rate, "10"),
        requests_a_minute=reader.get("REQUESTS_A_MINUTE", _requests, "12000"),
        log_level=reader.get("LOG_LEVEL", _level, "INFO"),
        allowlist_file=reader.get("ALLOWLIST_FILE", lambda text: Path(text) if text else None, ""),
        trusted_proxies=reader.get("TRUSTED_PROXIES", _networks, ""),
        signing=reader.get("SIGNING", _signing, Signing.OFF.value),
        broker=_broker(reader),
    )
    if reader.problems:
        raise SettingsError("\n".join(reader.problems))
    return settings


def _broker(reader: "_Reader") -> BrokerSettings:
    found = BrokerSettings(
        name=reader.get("BROKER", _broker_name, PAPER),
        url=reader.get("BROKER_URL", str.strip, ""),
        timeout_s=reader.get("BROKER_TIMEOUT_S", _timeout, "3"),
        postback=reader.get("BROKER_POSTBACK", lambda text: _addresses(text)[0] if text else None, ""),
        algo_id=reader.get("BROKER_ALGO_ID", _algo_id, ""),
        is_sandbox=reader.get("BROKER_SANDBOX", _yes_or_no, "no"),
    )
    if found.name == PAPER and (found.url or found.postback):
        name, value = ("URL", found.url) if found.url else ("POSTBACK", found.postback)
        reader.problems.append(f"TRADING_BROKER_{name}={value}: broker paper has none; name another, or leave it out")
    return found


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def get(self, name: str, parse: Callable[[str], T], default: str | None) -> T:
        variable = f"TRADING_{name}"
        text = self._env.get(variable, default)
        if text is None:
            self.problems.append(f"{variable}: is not set; set it")
            text = "unset:1"
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(f"{variable}={text}: {error}")
            return parse("unset:1" if default is None else default)


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty; set it or leave it out")
    return text


def _addresses(text: str) -> tuple[Address, ...]:
    found = []
    for part in text.split(","):
        host, _, port = part.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must be host:port, separated by commas, such as postgres-0.postgres-repl:5432")
        found.append((host, int(port)))
    return tuple(found)


def _wait_ms(text: str) -> int:
    if not text.isdecimal() or int(text) > 1000:
        raise ValueError("must be 0 to 1000 milliseconds, such as 50; 0 leaves every read to the primary")
    return int(text)


def _speed(text: str) -> Decimal:
    try:
        speed = parse_decimal(text)
    except ValueError as error:
        raise ValueError(f"{error}; give bars per second, such as 1 or 0.5") from error
    if not 0 < speed <= 1000:
        raise ValueError("must be above 0 and at most 1000 bars per second, such as 1 or 0.5")
    return speed


def _bad_rows(text: str) -> str:
    if text not in (REFUSE, QUARANTINE):
        raise ValueError(f"must be {REFUSE} or {QUARANTINE}")
    return text


def _broker_name(text: str) -> str:
    if not BROKER_NAME.fullmatch(text):
        raise ValueError("must be paper, http, or the name that an installed package gives its broker")
    return text


def _timeout(text: str) -> Decimal:
    try:
        seconds = parse_decimal(text)
    except ValueError as error:
        raise ValueError(f"{error}; give seconds, such as 3") from error
    if not Decimal("0.1") <= seconds <= 30:
        raise ValueError("must be 0.1 to 30 seconds; a call that hangs keeps the other orders waiting")
    return seconds


def _algo_id(text: str) -> str:
    if text and not ALGO_ID.fullmatch(text):
        raise ValueError("must be the exchange's tag: 1 to 40 letters, digits, - and _")
    return text


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return text == "yes"


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def _rate(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1000:
        raise ValueError("must be 1 to 1000 orders in any second; 10 unless the exchange has registered more")
    return int(text)


def _settle(text: str) -> int:
    if not text.isdecimal() or int(text) > 3600:
        raise ValueError("must be 0 to 3600 seconds, longer than a kubelet takes to mount a changed Secret, such as 90")
    return int(text)


def _requests(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise ValueError("must be 1 to 1000000 requests of one caller in any minute, such as 12000")
    return int(text)


def _level(text: str) -> str:
    if text not in LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
    return text


def _networks(text: str) -> Networks:
    try:
        return networks(part.strip() for part in text.split(",") if part.strip())
    except InvalidNetwork as error:
        raise ValueError(f"{error}; separate several by commas") from error


def _signing(text: str) -> Signing:
    try:
        return Signing(text)
    except ValueError as error:
        raise ValueError(f"must be one of {', '.join(Signing)}") from error
