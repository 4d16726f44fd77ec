"""What the seven roles of the engine have in common and where they differ. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pulumi_kubernetes.apps.v1 import DeploymentStrategyArgs, RollingUpdateDeploymentArgs

from components.kit.footprint import Footprint, footprint
from components.kit.volumes import CREDENTIALS_DIR
from components.trading import broker
from components.trading.args import Role, TradingArgs

APP = "trading"
DATABASE_USER = "trading"
REDIS_USER = "trading"
STORES = ("postgres-app", "redis-app")


@dataclass(frozen=True, kw_only=True)
class RoleSpec:
    """How one role is deployed.

    Attributes:
        replicas: number of pods; None where an autoscaler chooses it, and would be overruled by every update.
        credentials: kinds that it mounts.
        apart: whether two pods of it must not share a node.
        strategy: how an update replaces its pods.
        waived: policy rules that do not hold for it, with the reason.
    """

    replicas: int | None
    credentials: tuple[str, ...]
    apart: bool
    strategy: DeploymentStrategyArgs
    waived: Mapping[str, str] = field(default_factory=dict)


def roles(args: TradingArgs) -> dict[Role, RoleSpec]:
    """The roles, by name."""
    return {
        # never fewer than the declared number serve
        "api": RoleSpec(
            replicas=args.api_replicas if args.api_autoscaling is None else None,
            credentials=("api", "jwt", *STORES),
            apart=False,
            strategy=_rolling(max_surge=1, max_unavailable=0),
        ),
        "engine": _pair(args),
        "execution": _pair(args, () if args.broker.is_paper else (broker.CREDENTIAL,)),
        "marketdata": _single("no bars come until another has started, and none is lost"),
        "risk": _single("no equity is noted until another has started; orders are checked without it"),
        "cache": _single("nothing is warmed until another has started, and what is warm stays so"),
        "scheduler": _single("what is due follows from market time, so that another catches up with it"),
    }


def _pair(args: TradingArgs, more: tuple[str, ...] = ()) -> RoleSpec:
    """One at a time, without a pod more: while one is replaced, the other leads."""
    return RoleSpec(
        replicas=args.engine_replicas,
        credentials=(*STORES, *more),
        apart=True,
        strategy=_rolling(max_surge=0, max_unavailable=1),
    )


def _single(when_down: str) -> RoleSpec:
    """One pod; in an update the new one stands by, or works beside it, before the old one goes."""
    return RoleSpec(
        replicas=1,
        credentials=STORES,
        apart=False,
        strategy=_rolling(max_surge=1, max_unavailable=0),
        waived={"replica-minimum": f"one works at a time: {when_down}"},
    )


def needs(args: TradingArgs) -> Footprint:
    """All roles at their most.

    A pod that is told to end counts until it has: so an update of a pair or a single has one beside the replicas, one
    of the API two (the one that comes, the one that ends) where it has more pods than one.
    """
    total = Footprint()
    for role, spec in roles(args).items():
        replicas = spec.replicas
        if role == "api":
            replicas = args.api_autoscaling.max_replicas if args.api_autoscaling else args.api_replicas
        replicas = replicas or 1
        beside = 2 if role == "api" and replicas > 1 else 1
        total += footprint([args.resources[role]], replicas=replicas, update_pods=beside)
    return total


def _rolling(*, max_surge: int, max_unavailable: int) -> DeploymentStrategyArgs:
    return DeploymentStrategyArgs(
        type="RollingUpdate",
        rolling_update=RollingUpdateDeploymentArgs(max_surge=max_surge, max_unavailable=max_unavailable),
    )


def environment(args: TradingArgs) -> dict[str, str]:
    """Settings of every role, as environment variables; nothing in here is secret, passwords come as files."""
    return {
        "TRADING_POSTGRES_HOSTS": ",".join(args.postgres_hosts),
        "TRADING_POSTGRES_DATABASE": args.postgres_database,
        "TRADING_POSTGRES_USER": DATABASE_USER,
        "TRADING_REDIS_SENTINELS": ",".join(args.redis_sentinels),
        "TRADING_REDIS_MASTER": args.redis_master,
        "TRADING_REDIS_USER": REDIS_USER,
        "TRADING_CREDENTIALS_DIR": CREDENTIALS_DIR,
        "TRADING_FEED_SOURCE": args.feed.source,
        "TRADING_FEED_SPEED": format(args.feed.bars_per_s, "f"),
        "TRADING_FEED_BAD_ROWS": args.feed.bad_rows,
        "TRADING_SEED": str(args.feed.seed),
        "TRADING_LOG_LEVEL": args.log_level,
    }
