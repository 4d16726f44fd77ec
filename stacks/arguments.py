"""From the configuration of a stack to the arguments of its components. Pure, but for the files that make an image."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from components.credentials.args import SECRET_NAMES, CredentialsArgs
from components.credentials.registry import RegistryLogin
from components.kit import images
from components.kit.errors import NOT_SET, InvalidArgs, Problem
from components.kit.rules import one_of
from components.network.args import NetworkArgs, Quota
from components.postgres.args import PostgresArgs
from components.postgres.names import DATABASE, member_hosts
from components.redis.args import RedisArgs
from components.redis.image.settings import SENTINEL_PORT
from components.trading.args import Feed, TradingArgs
from stacks.flows import flows
from stacks.sections import StackConfig

PULL_SECRET = RegistryLogin.secret_name
WORKLOAD_IMAGES = ("postgres", "redis", "trading")
LOCAL_REGISTRIES = ("localhost", "127.0.0.1")
PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")

A = TypeVar("A")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The arguments of every component of the platform."""

    network: NetworkArgs
    credentials: CredentialsArgs
    postgres: PostgresArgs
    redis: RedisArgs
    trading: TradingArgs


def arguments(config: StackConfig) -> Arguments:
    """The arguments, checked by the components' own rules.

    Raises:
        InvalidArgs: with the problems of all components at once.
    """
    problems = image_problems(config)

    def checked(make: Callable[[StackConfig], A]) -> A | None:
        try:
            return make(config)
        except InvalidArgs as error:
            problems.extend(error.problems)
            return None

    network, credentials = checked(_network), checked(_credentials)
    postgres, redis, trading = checked(_postgres), checked(_redis), checked(_trading)
    if problems or network is None or credentials is None or postgres is None or redis is None or trading is None:
        raise InvalidArgs(problems)
    return Arguments(network=network, credentials=credentials, postgres=postgres, redis=redis, trading=trading)


def asks_for_login(registry: str) -> bool:
    """Whether images come from a registry elsewhere, which then needs a pull secret."""
    return registry_host(registry).partition(":")[0] not in LOCAL_REGISTRIES


def registry_host(registry: str) -> str:
    """The host name, with port if it has one, of an image prefix."""
    return registry.partition("/")[0]


def image_problems(config: StackConfig) -> list[Problem]:
    """Images that nobody knows, and references that could mean another image tomorrow."""
    found = []
    for name, reference in config.images.items():
        found += one_of("images", name, WORKLOAD_IMAGES)
        if not PINNED.fullmatch(reference):
            rule = "pinned by digest: <registry>/<name>@sha256:<64 hex digits>"
            found.append(Problem(f"images.{name}", reference, rule, "give the digest that the registry shows"))
    return found


def _image(config: StackConfig, name: str) -> str:
    if pinned := config.images.get(name):
        return pinned
    try:
        return images.reference(name, config.registry)
    except FileNotFoundError as error:
        way_out = "restore the file, or pin a published image"
        raise InvalidArgs([Problem(f"images.{name}", NOT_SET, str(error), way_out)]) from None


def _pull_secrets(config: StackConfig) -> tuple[str, ...]:
    return (PULL_SECRET,) if asks_for_login(config.registry) else ()


def _network(config: StackConfig) -> NetworkArgs:
    quota = Quota(**config.quota.given())
    return NetworkArgs(namespace=config.namespace, quota=quota, flows=flows(config.network))


def _credentials(config: StackConfig) -> CredentialsArgs:
    return CredentialsArgs(namespace=config.namespace, epochs=config.credentials)


def _postgres(config: StackConfig) -> PostgresArgs:
    return PostgresArgs(
        namespace=config.namespace,
        image=_image(config, "postgres"),
        pull_secrets=_pull_secrets(config),
        secret_names=SECRET_NAMES,
        storage_class=config.storage_class or None,
        **config.postgres.given(),
    )


def _redis(config: StackConfig) -> RedisArgs:
    return RedisArgs(
        namespace=config.namespace,
        image=_image(config, "redis"),
        pull_secrets=_pull_secrets(config),
        secret_names=SECRET_NAMES,
        storage_class=config.storage_class or None,
        **config.redis.given(),
    )


def _trading(config: StackConfig) -> TradingArgs:
    sentinels = config.redis.sentinels or RedisArgs.sentinels
    return TradingArgs(
        namespace=config.namespace,
        image=_image(config, "trading"),
        pull_secrets=_pull_secrets(config),
        secret_names=SECRET_NAMES,
        postgres_hosts=member_hosts(config.postgres.members or PostgresArgs.members),
        postgres_database=DATABASE,
        redis_sentinels=tuple(f"{RedisArgs.instance}-sentinel-{n}:{SENTINEL_PORT}" for n in range(sentinels)),
        redis_master=RedisArgs.master_name,
        feed=Feed(**config.trading.feed.given()),
        engine_replicas=config.trading.engine_replicas,
        api_replicas=config.trading.api_replicas,
        resources=config.trading.resources.by_role(),
        log_level=config.trading.log_level,
    )
