"""Arguments of the trading component."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from components.kit.errors import Problem, require
from components.kit.resources import Resources
from components.kit.rules import at_least, dns_label, one_of
from components.trading import ingress, scaling
from components.trading.access import ANYBODY, Access
from components.trading.access import problems as access_problems
from components.trading.broker import ON_PAPER, Broker, made_up
from components.trading.broker import problems as broker_problems

Role = Literal["api", "engine", "execution", "marketdata", "risk", "cache", "scheduler"]
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SYNTHETIC = "synthetic"
BAD_ROWS = ("refuse", "quarantine")
KINDS = ("api", "jwt", "postgres-app", "redis-app")


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Where market data comes from.

    Attributes:
        source: `synthetic` (a seeded NIFTY 50 session) or the absolute path of a CSV or Parquet file in the image.
        bars_per_s: bars played per second.
        seed: seed of the synthetic session; the same seed plays the same session.
        bad_rows: `refuse` a file with corrupt rows, or `quarantine` these: leave them out and count them.
    """

    source: str = SYNTHETIC
    bars_per_s: Decimal = Decimal(1)
    seed: int = 1
    bad_rows: str = "refuse"


@dataclass(frozen=True, kw_only=True)
class TradingArgs:
    """Arguments of `Trading`.

    Attributes:
        namespace: where the objects go.
        image: reference of the image of all roles.
        pull_secrets: names of the Secrets that the image is pulled with.
        secret_names: credential kind to the name of its Secret; the kinds of `KINDS` must be there.
        postgres_hosts: `host:port` of every member, so that a client finds the primary itself.
        postgres_database: name of the database.
        redis_sentinels: `host:port` of every Sentinel.
        redis_master: the name that Sentinel has for the master.
        feed: where market data comes from.
        engine_replicas: pods of the engine and of execution each; one of them leads, the others stand by warm.
        api_replicas: all serve; the fewest of them with `api_autoscaling`.
        api_autoscaling: bounds of the number of API pods; None keeps it at `api_replicas`.
        entrance: the API's Ingress; None for none.
        access: what a request to the API must be, beside having a key.
        broker: where orders go.
        resources: of one pod of each role.
        log_level: one of `LOG_LEVELS`.

    Raises:
        InvalidArgs: with every problem at once.
    """

    namespace: str
    image: str
    pull_secrets: tuple[str, ...] = ()
    secret_names: Mapping[str, str]
    postgres_hosts: tuple[str, ...]
    postgres_database: str
    redis_sentinels: tuple[str, ...]
    redis_master: str
    feed: Feed
    engine_replicas: int
    api_replicas: int
    api_autoscaling: scaling.Autoscaling | None = None
    entrance: ingress.Entrance | None = None
    access: Access = ANYBODY
    broker: Broker = ON_PAPER
    resources: Mapping[Role, Resources]
    log_level: str = "INFO"

    def __post_init__(self) -> None:
        """Refuse what `problems` finds."""
        require(problems(self))


def problems(args: TradingArgs) -> list[Problem]:
    """Every problem of the arguments."""
    found = dns_label("namespace", args.namespace)
    found += at_least("trading.engine_replicas", args.engine_replicas, 2, "pods", "one leads, one stands by warm")
    found += at_least("trading.api_replicas", args.api_replicas, 1, "pods")
    if args.api_autoscaling is not None:
        found += scaling.problems(args.api_autoscaling, args.api_replicas)
    if args.entrance is not None:
        found += ingress.problems(args.entrance)
    found += access_problems(args.access)
    found += broker_problems(args.broker)
    if args.feed.source == SYNTHETIC:
        found += made_up(args.broker, args.feed.source)
    found += one_of("trading.log_level", args.log_level, LOG_LEVELS)
    found += feed_problems(args.feed)
    for role, resources in args.resources.items():
        found += resources.problems(f"trading.resources.{role}")
    for field, hosts in (("postgres_hosts", args.postgres_hosts), ("redis_sentinels", args.redis_sentinels)):
        if not hosts:
            found.append(Problem(f"trading.{field}", hosts, "at least one host:port", "give every member"))
    for kind in KINDS:
        if kind not in args.secret_names:
            found.append(
                Problem("trading.secret_names", sorted(args.secret_names), f"has no {kind!r}", "give the Secret of it")
            )
    return found


def feed_problems(feed: Feed) -> list[Problem]:
    """Every problem of the feed's settings."""
    found = at_least("trading.feed.seed", feed.seed, 0, "as a seed")
    if feed.source != SYNTHETIC and not feed.source.startswith("/"):
        found.append(
            Problem(
                "trading.feed.source",
                feed.source,
                "'synthetic' or the absolute path of a CSV or Parquet file in the image",
                "give 'synthetic'",
            )
        )
    found += one_of("trading.feed.bad_rows", feed.bad_rows, BAD_ROWS)
    if not feed.bars_per_s > 0:
        found.append(
            Problem("trading.feed.bars_per_s", str(feed.bars_per_s), "more than 0 bars per second", "give 1 or '0.5'")
        )
    return found
