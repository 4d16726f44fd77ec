"""Settings and credentials: what is read, and what each mistake is told."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.app.credentials import Credentials
from tests.app.venue_server import mount
from trading.cli import main
from trading.domain.orders import Mode
from trading.security.apikeys import is_valid
from trading.security.credentials import CredentialError, MountedCredential
from trading.services.broker import BrokerUnfit, fit
from trading.settings import SettingsError, from_environment

GOOD = {"TRADING_POSTGRES_HOSTS": "a:5432,b:5433", "TRADING_REDIS_SENTINELS": "s:26379"}


def test_defaults() -> None:
    settings = from_environment(GOOD)
    assert settings.postgres_hosts == (("a", 5432), ("b", 5433))
    assert (settings.feed_source, settings.feed_speed, settings.seed) == ("synthetic", Decimal(1), 1)
    assert settings.credentials_dir == Path("/credentials")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("POSTGRES_HOSTS", "a", "TRADING_POSTGRES_HOSTS=a: must be host:port"),
        ("STANDBY_WAIT_MS", "1001", "TRADING_STANDBY_WAIT_MS=1001: must be 0 to 1000 milliseconds"),
        ("STANDBY_WAIT_MS", "-1", "TRADING_STANDBY_WAIT_MS=-1: must be 0 to 1000 milliseconds"),
        ("REDIS_SENTINELS", "a:0", "TRADING_REDIS_SENTINELS=a:0: must be host:port"),
        ("FEED_SPEED", "fast", "TRADING_FEED_SPEED=fast: not a decimal number; give bars per second"),
        ("FEED_SPEED", "0", "TRADING_FEED_SPEED=0: must be above 0"),
        ("SEED", "-1", "TRADING_SEED=-1: must be a whole number"),
        ("MAX_ORDERS_A_SECOND", "1001", "TRADING_MAX_ORDERS_A_SECOND=1001: must be 1 to 1000 orders in any second"),
        ("CREDENTIALS_SETTLE_S", "3601", "TRADING_CREDENTIALS_SETTLE_S=3601: must be 0 to 3600 seconds"),
        ("REQUESTS_A_MINUTE", "0", "TRADING_REQUESTS_A_MINUTE=0: must be 1 to 1000000 requests"),
        ("BROKER", "Zerodha!", "TRADING_BROKER=Zerodha!: must be paper, http, or the name"),
        (
            "BROKER_URL",
            "https://x",
            "TRADING_BROKER_URL=https://x: broker paper has none; name another, or leave it out",
        ),
        ("BROKER_TIMEOUT_S", "60", "TRADING_BROKER_TIMEOUT_S=60: must be 0.1 to 30 seconds"),
        ("BROKER_POSTBACK", "8090", "TRADING_BROKER_POSTBACK=8090: must be host:port"),
        ("BROKER_ALGO_ID", "a b", "TRADING_BROKER_ALGO_ID=a b: must be the exchange's tag"),
        ("BROKER_SANDBOX", "true", "TRADING_BROKER_SANDBOX=true: must be yes or no"),
        ("LOG_LEVEL", "LOUD", "TRADING_LOG_LEVEL=LOUD: must be one of DEBUG, INFO, WARNING, ERROR"),
        ("POSTGRES_USER", " ", "TRADING_POSTGRES_USER= : must not be empty"),
    ],
)
def test_wrong_setting_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        from_environment(GOOD | {f"TRADING_{name}": value})


def test_all_problems_in_one_message() -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({"TRADING_SEED": "x"})
    assert str(caught.value).splitlines() == [
        "TRADING_POSTGRES_HOSTS: is not set; set it",
        "TRADING_REDIS_SENTINELS: is not set; set it",
        "TRADING_SEED=x: must be a whole number, 0 or more",
    ]


def cli(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trading", *args]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)


def test_command_ends_with_one_line(tmp_path: Path) -> None:
    done = cli("run", "engine", **GOOD, TRADING_CREDENTIALS_DIR=str(tmp_path))
    assert done.returncode == 1
    assert (
        "error: credential postgres-app: file a: is missing; mount the Secret credentials-postgres-app" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"BROKER": "zerodha"}, "error: broker=zerodha: must be one of http, paper, or of an installed package"),
        ({"BROKER": "http"}, "error: broker url=: must be https"),
        ({"BROKER": "http", "BROKER_URL": "https://b"}, "error: broker credential api-key: is not mounted at"),
    ],
)
def test_broker_that_cannot_be_used_ends_the_role_before_anything_else(
    tmp_path: Path, env: dict[str, str], said: str
) -> None:
    given = {f"TRADING_{name}": value for name, value in env.items()}
    done = cli("run", "execution", **GOOD, TRADING_CREDENTIALS_DIR=str(tmp_path), **given)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert said in done.stderr


def test_real_orders_are_not_made_of_prices_that_are_made_up(tmp_path: Path) -> None:
    mount(tmp_path / "broker")
    given = {"TRADING_BROKER": "http", "TRADING_BROKER_URL": "https://b", "TRADING_CREDENTIALS_DIR": str(tmp_path)}
    with pytest.raises(BrokerUnfit, match=r"TRADING_FEED_SOURCE=synthetic: broker http takes LIVE .* made up"):
        fit(from_environment(GOOD | given))
    assert fit(from_environment(GOOD | given | {"TRADING_BROKER_SANDBOX": "yes"})).mode is Mode.LIVE
    assert fit(from_environment(GOOD | given | {"TRADING_FEED_SOURCE": "/bars.csv"})).mode is Mode.LIVE


def test_corrupt_market_data_stops_the_feed_before_anything_else(tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text("symbol,timestamp,open,high,low,close,volume\nINFY,2026-01-05,0,1,1,1,1\n")
    done = cli("run", "marketdata", **GOOD, TRADING_FEED_SOURCE=str(bars), TRADING_CREDENTIALS_DIR=str(tmp_path))
    assert done.returncode == 1
    assert f"error: {bars}: line 2: column open: value 0: must be above 0; correct or remove the row" in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["--help"], 0, "migrate"),
        (["run", "nothing"], 2, "invalid choice: 'nothing'"),
        (["run", "marketdata", "--listen", "here"], 2, "here: must be HOST:PORT, such as 127.0.0.1:8080"),
    ],
)
def test_usage(args: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == code
    assert text in "".join(capsys.readouterr())


def test_credential_follows_the_mounted_files(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    mounted = MountedCredential(tmp_path, "api")
    assert [slot for slot, _ in mounted.get().in_order()] == ["a", "b"]
    credentials.mount("api", Credentials.values("api", 1), current="b", epoch=1)
    after = mounted.get()
    assert (after.current, after.epoch) == ("b", 1)
    assert next(iter(after.in_order())) == ("b", Credentials.values("api", 1)["b"])


def test_credential_never_shows_its_values(tmp_path: Path) -> None:
    Credentials(tmp_path)
    assert "xxxx" not in repr(MountedCredential(tmp_path, "api").get())


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("current", "c", "credential api: file current: must be 'a' or 'b'"),
        ("epoch", "new", "credential api: file epoch: must be a whole number"),
        ("b", "\n", "credential api: file b: is empty"),
        ("a", None, "credential api: file a: is missing"),
    ],
)
def test_broken_credential_is_named(tmp_path: Path, file: str, content: str | None, message: str) -> None:
    Credentials(tmp_path)
    path = (tmp_path / "api" / file).resolve()
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(CredentialError, match=message):
        MountedCredential(tmp_path, "api").get()


def test_either_slot_is_a_valid_key(tmp_path: Path) -> None:
    Credentials(tmp_path)
    keys = MountedCredential(tmp_path, "api")
    values = Credentials.values("api")
    assert is_valid(values["a"], keys)
    assert is_valid(values["b"], keys)
    assert not any(is_valid(wrong, keys) for wrong in ("", "x", values["a"][:-1], values["a"] + "x", "é"))
