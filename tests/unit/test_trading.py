"""The engine's component: what each role runs, and arguments that are refused."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

import pytest

from components.credentials.args import SECRET_NAMES
from components.kit.errors import InvalidArgs
from components.kit.resources import Resources
from components.trading.args import Feed, Role, TradingArgs
from components.trading.component import Trading
from components.trading.roles import environment
from tests.fix_pulumi import Record
from toolchain.render.manifests import manifests

SINGLES = ("marketdata", "risk", "cache", "scheduler")
SMALL = Resources(cpu_m=50, memory_mib=128)
ARGS = TradingArgs(
    namespace="trading",
    image="localhost/trading-platform/trading:0123456789ab",
    secret_names=SECRET_NAMES,
    postgres_hosts=("postgres-0.postgres-repl:5432", "postgres-1.postgres-repl:5432"),
    postgres_database="trading",
    redis_sentinels=("redis-sentinel-0:26379",),
    redis_master="trading",
    feed=Feed(bars_per_s=Decimal("0.50")),
    engine_replicas=2,
    api_replicas=3,
    resources=dict.fromkeys(get_args(Role), SMALL),
)


def declare(recorded: Record, args: TradingArgs = ARGS) -> dict[str, dict[str, Any]]:
    return manifests(recorded(lambda: Trading("trading", args)))


def pod(files: dict[str, dict[str, Any]], role: str) -> dict[str, Any]:
    spec: dict[str, Any] = files[f"deployment-trading-{role}.yaml"]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(
    ("role", "replicas"), [("api", 3), ("engine", 2), ("execution", 2), *((role, 1) for role in SINGLES)]
)
def test_each_role_migrates_and_runs(recorded: Record, role: str, replicas: int) -> None:
    files = declare(recorded)
    assert files[f"deployment-trading-{role}.yaml"]["spec"]["replicas"] == replicas
    (migrate,), (run,) = pod(files, role)["initContainers"], pod(files, role)["containers"]
    assert migrate["command"] + migrate["args"] == ["trading", "migrate", "--wait-s", "300"]
    assert run["command"] + run["args"] == ["trading", "run", role]
    assert run["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert run["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_only_the_api_mounts_the_api_keys(recorded: Record) -> None:
    files = declare(recorded)
    mounts = {
        role: [m["mountPath"] for m in pod(files, role)["containers"][0]["volumeMounts"]] for role in ("api", "risk")
    }
    assert mounts["api"] == [
        "/credentials/api",
        "/credentials/jwt",
        "/credentials/postgres-app",
        "/credentials/redis-app",
        "/tmp",
    ]
    assert mounts["risk"] == ["/credentials/postgres-app", "/credentials/redis-app", "/tmp"]
    migrate = pod(files, "api")["initContainers"][0]
    assert "/credentials/api" not in [m["mountPath"] for m in migrate["volumeMounts"]]


def test_an_update_never_takes_both_of_a_pair_down_and_never_the_only_one(recorded: Record) -> None:
    files = declare(recorded)
    strategies = {role: files[f"deployment-trading-{role}.yaml"]["spec"]["strategy"] for role in get_args(Role)}
    for role in ("engine", "execution"):
        assert strategies[role]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    for role in ("api", *SINGLES):
        assert strategies[role]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_settings_are_plain_environment() -> None:
    assert environment(ARGS) == {
        "TRADING_POSTGRES_HOSTS": "postgres-0.postgres-repl:5432,postgres-1.postgres-repl:5432",
        "TRADING_POSTGRES_DATABASE": "trading",
        "TRADING_POSTGRES_USER": "trading",
        "TRADING_REDIS_SENTINELS": "redis-sentinel-0:26379",
        "TRADING_REDIS_MASTER": "trading",
        "TRADING_REDIS_USER": "trading",
        "TRADING_CREDENTIALS_DIR": "/credentials",
        "TRADING_FEED_SOURCE": "synthetic",
        "TRADING_FEED_SPEED": "0.50",
        "TRADING_FEED_BAD_ROWS": "refuse",
        "TRADING_SEED": "1",
        "TRADING_LOG_LEVEL": "INFO",
    }


def test_pull_secrets_are_named_only_when_there_are_any(recorded: Record) -> None:
    assert "imagePullSecrets" not in pod(declare(recorded), "api")
    files = declare(recorded, replace(ARGS, pull_secrets=("registry",)))
    assert pod(files, "api")["imagePullSecrets"] == [{"name": "registry"}]


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(InvalidArgs) as caught:
        replace(
            ARGS,
            engine_replicas=1,
            api_replicas=0,
            log_level="LOUD",
            feed=Feed(source="bars.csv", bars_per_s=Decimal(0), seed=-1),
            secret_names={},
            redis_sentinels=(),
        )
    fields = [problem.field for problem in caught.value.problems]
    assert fields == [
        "trading.engine_replicas",
        "trading.api_replicas",
        "trading.log_level",
        "trading.feed.seed",
        "trading.feed.source",
        "trading.feed.bars_per_s",
        "trading.redis_sentinels",
        *["trading.secret_names"] * 4,
    ]
