"""The shape of a stack's configuration: keys, types and defaults.

Inside a section the keys are those of the component's arguments, units in the names. A key that is left out keeps the
default of the component.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from components.kit.resources import Resources


class Section(BaseModel):
    """An object of the configuration: unknown keys and wrong types are errors, numbers are never made from text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ResourcesSection(Section):
    """CPU and memory of one container."""

    cpu_m: int
    memory_mib: int

    def args(self) -> Resources:
        """As the components take it."""
        return Resources(cpu_m=self.cpu_m, memory_mib=self.memory_mib)


class FeedSection(Section):
    """Where market data comes from."""

    source: str = "synthetic"
    bars_per_s: Annotated[Decimal, Field(strict=False)] = Decimal(1)
    seed: int = 1


class TradingResourcesSection(Section):
    """Resources of one pod of each role."""

    feed: ResourcesSection
    engine: ResourcesSection
    api: ResourcesSection


class TradingSection(Section):
    """The engine."""

    engine_replicas: int = 2
    api_replicas: int = 2
    log_level: str = "INFO"
    feed: FeedSection = FeedSection()
    resources: TradingResourcesSection


class QuotaSection(Section):
    """What the namespace may ask for in all."""

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
    """

    api_server_cidrs: tuple[str, ...] = ("0.0.0.0/0",)
    api_client_namespaces: tuple[str, ...] = ()


class StackConfig(Section):
    """The whole configuration of one stack, secrets apart.

    Attributes:
        context: the kubeconfig's context; None takes the current one, in stack local only.
        kubeconfig: path of a kubeconfig; None takes $KUBECONFIG, then the user's own.
        namespace: namespace that the stack makes and lives in.
        registry: prefix of the images' references.
        images: image name to a reference pinned by digest, instead of the one that the checkout's content gives.
        protect: whether Pulumi refuses to delete anything of the stack.
        storage_class: class of the volumes; None takes the cluster's default.
        credentials: kind to epoch; one more rotates the kind.
    """

    model_config = ConfigDict(alias_generator=to_camel)

    context: str | None = None
    kubeconfig: str | None = None
    namespace: str = "trading"
    registry: str = "localhost/trading-platform"
    images: dict[str, str] = {}
    protect: bool = False
    storage_class: str | None = None
    credentials: dict[str, int] = {}
    network: NetworkSection = NetworkSection()
    quota: QuotaSection
    trading: TradingSection

    @classmethod
    def text_keys(cls) -> set[str]:
        """The keys whose value is text, as the configuration spells them."""
        return {str(f.alias) for f in cls.model_fields.values() if f.annotation in (str, str | None)}
