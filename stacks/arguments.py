"""From the configuration of a stack to the arguments of its components. Pure, but for the files that make an image."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from components.credentials.args import SECRET_NAMES, CredentialsArgs
from components.credentials.registry import RegistryLogin
from components.kit import images
from components.kit.errors import NOT_SET, InvalidArgs, Problem, require
from components.kit.rules import allowlist, one_of
from components.kit.scheduling import Zones
from components.network.args import NetworkArgs, Quota, quota_problems
from components.postgres import pods as postgres_pods
from components.postgres.args import PostgresArgs
from components.postgres.backup import pods as backup_pods
from components.postgres.backup.args import S3, BackupArgs
from components.postgres.names import DATABASE, member_hosts
from components.redis import pods as redis_pods
from components.redis.args import RedisArgs
from components.redis.image.settings import SENTINEL_PORT
from components.trading import roles as trading_roles
from components.trading.access import Access
from components.trading.args import Feed, TradingArgs
from components.trading.broker import Broker
from components.trading.ingress import Entrance
from components.trading.scaling import Autoscaling
from stacks.flows import flows
from stacks.secrets import DEFAULT_TLS_SECRET, asks_for_login
from stacks.sections import StackConfig

PULL_SECRET = RegistryLogin.secret_name
WORKLOAD_IMAGES = ("postgres", "redis", "trading")
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
    problems = [*image_problems(config), *reach_problems(config), *store_problems(config), *broker_problems(config)]

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
    declared = {
        "postgres": postgres_pods.needs(postgres),
        "redis": redis_pods.needs(redis),
        "trading": trading_roles.needs(trading),
    }
    if postgres.backup is not None:
        declared["backup"] = backup_pods.needs(postgres, postgres.backup)
    require(quota_problems(network.quota, declared))
    return Arguments(network=network, credentials=credentials, postgres=postgres, redis=redis, trading=trading)


def reach_problems(config: StackConfig) -> list[Problem]:
    """Who may call the API: an allowlist that is none or tells nobody apart, an Ingress that may not reach the pods."""
    found = allowlist("network.api_allow_cidrs", config.network.api_allow_cidrs)
    if config.ingress is not None and not config.network.api_client_namespaces:
        field, rule = "network.api_client_namespaces", "the Ingress controller's pods must be allowed to reach the API"
        way_out = f"run: pulumi config set --path '{field}[0]' NAMESPACE, with the controller's namespace"
        found.append(Problem(field, (), rule, way_out))
    guard = config.trading.access
    if config.ingress is not None and guard.allowlist is not None and not guard.trusted_proxies:
        field = "trading.access.trusted_proxies"
        rule = "behind an Ingress every client has the controller's address, which trading.access.allowlist would judge"
        way_out = f"run: pulumi config set --path '{field}[0]' CIDR, with the addresses of the controller's pods"
        found.append(Problem(field, (), rule, way_out))
    return found


def store_problems(config: StackConfig) -> list[Problem]:
    """A store of backups that is named but not used, used but not named, or out of reach."""
    if config.backup is None:
        return []
    chosen, section = config.backup.repository, config.backup.s3
    if chosen == "posix" and section is not None:
        rule = "names a store, but backup.repository is 'posix'"
        return [Problem("backup.s3", section.bucket, rule, "run: pulumi config set --path backup.repository s3")]
    if chosen == "posix":
        return []
    found = []
    if section is None:
        rule = "backup.repository is 's3', which needs endpoint, bucket and region"
        found.append(Problem("backup.s3", NOT_SET, rule, "run: pulumi config set --path backup.s3.bucket NAME"))
    if not config.network.backup_cidrs:
        field, rule = "network.backup_cidrs", "members and backups must be allowed to reach the store"
        way_out = f"run: pulumi config set --path '{field}[0]' CIDR, with the addresses of the endpoint"
        found.append(Problem(field, (), rule, way_out))
    return found


def broker_problems(config: StackConfig) -> list[Problem]:
    """A broker that is out of reach, or whose calls back nobody lets in."""
    broker, found = Broker(**config.broker.given()), []
    if not broker.is_paper and not config.network.broker_cidrs:
        field, rule = "network.broker_cidrs", "the execution role must be allowed to reach the broker"
        way_out = f"run: pulumi config set --path '{field}[0]' CIDR, with the addresses of its API"
        found.append(Problem(field, (), rule, way_out))
    if broker.postback and not config.network.api_client_namespaces:
        field, rule = "network.api_client_namespaces", "broker.postback: somebody's pods must bring its calls back in"
        way_out = f"run: pulumi config set --path '{field}[0]' NAMESPACE, with that of the Ingress controller"
        found.append(Problem(field, (), rule, way_out))
    return found


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
    table = flows(
        config.network,
        behind_ingress=config.ingress is not None,
        backup=_backup(config),
        broker=Broker(**config.broker.given()),
    )
    return NetworkArgs(namespace=config.namespace, quota=quota, flows=table)


def _zones(config: StackConfig) -> Zones:
    return Zones(hard=config.zones.spread == "hard", minimum=config.zones.minimum)


def _credentials(config: StackConfig) -> CredentialsArgs:
    return CredentialsArgs(namespace=config.namespace, epochs=config.credentials, rotation_days=config.rotation_days)


def _postgres(config: StackConfig) -> PostgresArgs:
    return PostgresArgs(
        namespace=config.namespace,
        image=_image(config, "postgres"),
        pull_secrets=_pull_secrets(config),
        secret_names=SECRET_NAMES,
        zones=_zones(config),
        backup=_backup(config),
        **{"storage_class": config.storage_class or None, **config.postgres.given()},
    )


def _backup(config: StackConfig) -> BackupArgs | None:
    """None also where the store is missing, which `store_problems` tells."""
    if config.backup is None or (config.backup.repository == "s3" and config.backup.s3 is None):
        return None
    given = {key: value for key, value in config.backup.given().items() if key not in ("repository", "s3")}
    store = config.backup.s3 if config.backup.repository == "s3" else None
    return BackupArgs(
        s3=S3(**store.given()) if store else None, **{"storage_class": config.storage_class or None, **given}
    )


def _redis(config: StackConfig) -> RedisArgs:
    return RedisArgs(
        namespace=config.namespace,
        image=_image(config, "redis"),
        pull_secrets=_pull_secrets(config),
        secret_names=SECRET_NAMES,
        zones=_zones(config),
        **{"storage_class": config.storage_class or None, **config.redis.given()},
    )


def _trading(config: StackConfig) -> TradingArgs:
    sentinels = config.redis.sentinels or RedisArgs.sentinels
    scaling = config.trading.api_autoscaling
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
        api_autoscaling=Autoscaling(**scaling.given()) if scaling else None,
        entrance=_entrance(config),
        access=Access(**config.trading.access.given()),
        broker=Broker(**config.broker.given()),
        resources=config.trading.resources.by_role(),
        log_level=config.trading.log_level,
    )


def _entrance(config: StackConfig) -> Entrance | None:
    if config.ingress is None:
        return None
    given = {"tls_secret": DEFAULT_TLS_SECRET, **config.ingress.given()}
    return Entrance(allow_cidrs=config.network.api_allow_cidrs, **given)
