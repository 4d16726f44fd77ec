"""The shape of a stack's configuration: keys, types and defaults.

Inside a section the keys are those of the component's arguments, units in the names. A key that is left out keeps the
default of the component.
"""

import json
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from components.kit.resources import Resources
from components.trading.args import Role, TradingArgs
from stacks.secrets import DEFAULT_REGISTRY


class Section(BaseModel):
    """An object of the configuration: unknown keys and wrong types are errors, numbers are never made from text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def given(self) -> dict[str, Any]:
        """The keys that have a value, as keyword arguments of the component's own class."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: _args(value) for name, value in values.items() if value is not None}


class ResourcesSection(Section):
    """CPU and memory of one container."""

    cpu_m: int
    memory_mib: int


def _args(value: object) -> object:
    return Resources(**value.given()) if isinstance(value, ResourcesSection) else value


class PostgresSection(Section):
    """PostgreSQL and Patroni; see `components.postgres.args.PostgresArgs`."""

    members: int | None = None
    synchronous_standbys: int | None = None
    storage_gib: int
    storage_class: str | None = None
    keep_volumes: bool | None = None
    resources: ResourcesSection
    agent_resources: ResourcesSection | None = None
    shared_buffers_mib: int | None = None
    max_connections: int | None = None
    max_wal_mib: int | None = None
    max_slot_wal_mib: int | None = None
    ttl_s: int | None = None
    loop_wait_s: int | None = None
    retry_timeout_s: int | None = None
    primary_start_timeout_s: int | None = None
    primary_stop_timeout_s: int | None = None
    wal_timeout_s: int | None = None
    grace_period_s: int | None = None
    startup_budget_s: int | None = None
    rto_target_s: int | None = None


class S3Section(Section):
    """An S3-compatible store; see `components.postgres.backup.args.S3`."""

    endpoint: str
    bucket: str
    region: str
    prefix: str | None = None
    uri_style: str | None = None
    ca_pem: str | None = None


class BackupSection(Section):
    """Backups of PostgreSQL; see `components.postgres.backup.args.BackupArgs`.

    Attributes:
        repository: `posix` keeps it on a volume of its own in the cluster, `s3` in the store of section `s3`.
    """

    repository: Literal["posix", "s3"] = "posix"
    s3: S3Section | None = None
    storage_gib: int | None = None
    storage_class: str | None = None
    keep_full: int | None = None
    keep_diff: int | None = None
    full_schedule: str | None = None
    diff_schedule: str | None = None
    check_schedule: str | None = None
    restore_test_schedule: str | None = None
    archive_timeout_s: int | None = None
    archive_queue_mib: int | None = None
    resources: ResourcesSection | None = None
    restore_resources: ResourcesSection | None = None
    server_resources: ResourcesSection | None = None


class RedisSection(Section):
    """Redis and Sentinel; see `components.redis.args.RedisArgs`."""

    members: int | None = None
    sentinels: int | None = None
    maxmemory_mib: int
    maxmemory_policy: str | None = None
    storage_gib: int
    storage_class: str | None = None
    resources: ResourcesSection
    sentinel_resources: ResourcesSection | None = None
    down_after_ms: int | None = None
    failover_timeout_ms: int | None = None
    rto_target_s: int | None = None
    grace_s: int | None = None


class FeedSection(Section):
    """Where market data comes from; see `components.trading.args.Feed`."""

    source: str | None = None
    bars_per_s: Annotated[Decimal, Field(strict=False)] | None = None
    seed: int | None = None
    bad_rows: str | None = None


class TradingResourcesSection(Section):
    """Resources of one pod of each role."""

    api: ResourcesSection
    engine: ResourcesSection
    execution: ResourcesSection
    marketdata: ResourcesSection
    risk: ResourcesSection
    cache: ResourcesSection
    scheduler: ResourcesSection

    def by_role(self) -> dict[Role, Resources]:
        """As the component takes them."""
        return self.given()  # type: ignore[return-value]


class AutoscalingSection(Section):
    """Bounds of the number of API pods; see `components.trading.scaling.Autoscaling`."""

    max_replicas: int
    target_cpu_percent: int | None = None
    scale_down_s: int | None = None


class AccessSection(Section):
    """What a request to the API must be; see `components.trading.access.Access`."""

    signing: str | None = None
    trusted_proxies: tuple[str, ...] | None = None
    allowlist: tuple[str, ...] | None = None


class BrokerSection(Section):
    """Where orders go; see `components.trading.broker.Broker`."""

    kind: str | None = None
    url: str | None = None
    timeout_s: Annotated[Decimal, Field(strict=False)] | None = None
    algo_id: str | None = None
    sandbox: bool | None = None
    postback: bool | None = None
    secret_name: str | None = None


class TradingSection(Section):
    """The engine; see `components.trading.args.TradingArgs`."""

    engine_replicas: int
    api_replicas: int
    api_autoscaling: AutoscalingSection | None = None
    log_level: str = TradingArgs.log_level
    access: AccessSection = AccessSection()
    feed: FeedSection = FeedSection()
    resources: TradingResourcesSection


class QuotaSection(Section):
    """What the namespace may ask for in all; see `components.network.args.Quota`."""

    pods: int
    cpu_m: int
    memory_mib: int
    storage_gib: int
    claims: int


class NetworkSection(Section):
    """Who outside the namespace takes part.

    Attributes:
        api_server_cidrs: where the Kubernetes API listens; Patroni keeps its state there.
        api_client_namespaces: whose pods may call the trading API, as that of an ingress controller.
        api_allow_cidrs: who may call it from outside: the Ingress lets only these through; without one they may reach
            the pods themselves. Empty allows everybody through the Ingress, and nobody without one.
        backup_cidrs: where the S3 store of the backups listens.
        broker_cidrs: where the broker's API listens.
    """

    api_server_cidrs: tuple[str, ...] = ("0.0.0.0/0",)
    api_client_namespaces: tuple[str, ...] = ()
    api_allow_cidrs: tuple[str, ...] = ()
    backup_cidrs: tuple[str, ...] = ()
    broker_cidrs: tuple[str, ...] = ()


class IngressSection(Section):
    """The API's way in; see `components.trading.ingress.Entrance`.

    Attributes:
        tls_secret: a Secret that others keep; left out, cert-manager keeps one where an annotation names an issuer, and
            else the stack makes one of `tlsCertificate` and `tlsKey`.
    """

    host: str
    class_name: str = "nginx"
    tls_secret: str | None = None
    annotations: dict[str, str] = {}

    @field_validator("annotations", mode="before")
    @classmethod
    def texts(cls, value: object) -> object:
        """`pulumi config set` makes true and 30 of what is meant as text: they become text again."""
        if not isinstance(value, dict):
            return value
        return {key: json.dumps(it) if isinstance(it, bool | int) else it for key, it in value.items()}


class ZonesSection(Section):
    """How firmly the members of a store are kept in different zones; see `components.kit.scheduling.Zones`."""

    spread: Literal["soft", "hard"] = "soft"
    minimum: int | None = None


class StackConfig(Section):
    """The whole configuration of one stack, secrets apart; an empty text is the same as none.

    Attributes:
        context: the kubeconfig's context; empty takes the current one, in stack local only.
        kubeconfig: path of a kubeconfig; empty takes $KUBECONFIG, then the user's own.
        namespace: namespace that the stack makes and lives in.
        profile: sizes that the sections take where they say nothing themselves; already filled in here.
        registry: prefix of the images' references.
        images: image name to a reference pinned by digest, instead of the one that the checkout's content gives.
        protect: whether Pulumi refuses to delete anything of the stack.
        storage_class: class of the volumes of stores that name none; empty takes the cluster's default.
        credentials: kind to epoch; one more rotates the kind.
        rotation_days: kind to the days that an epoch may stand; 90 for one that is not named.
    """

    model_config = ConfigDict(alias_generator=to_camel)

    context: str = ""
    kubeconfig: str = ""
    namespace: str = "trading"
    profile: str = ""
    registry: str = DEFAULT_REGISTRY
    images: dict[str, str] = {}
    protect: bool = False
    storage_class: str = ""
    credentials: dict[str, int] = {}
    rotation_days: dict[str, int] = {}
    network: NetworkSection = NetworkSection()
    ingress: IngressSection | None = None
    zones: ZonesSection = ZonesSection()
    quota: QuotaSection
    postgres: PostgresSection
    backup: BackupSection | None = None
    redis: RedisSection
    trading: TradingSection
    broker: BrokerSection = BrokerSection()

    @field_validator("ingress", "backup", mode="before")
    @classmethod
    def no_section(cls, value: object) -> object:
        """An empty object, the default in Pulumi.yaml, is none."""
        return None if value == {} else value

    @classmethod
    def text_keys(cls) -> set[str]:
        """The keys whose value is text, as the configuration spells them."""
        return {str(f.alias) for f in cls.model_fields.values() if f.annotation is str}
