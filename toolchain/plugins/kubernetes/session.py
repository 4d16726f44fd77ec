"""What a configured provider holds: its settings, the cluster, and, if there is none to be had, why."""

from dataclasses import dataclass, replace

from toolchain.plugins.kubernetes import kubeconfig
from toolchain.plugins.kubernetes.apply import Cluster
from toolchain.plugins.kubernetes.client import READ_TIMEOUT_S, ApiError, Client, Unreachable
from toolchain.plugins.kubernetes.config import Config
from toolchain.plugins.kubernetes.discovery import Discovery
from toolchain.plugins.kubernetes.engine import Engine
from toolchain.plugins.kubernetes.kubeconfig import KubeconfigError


@dataclass(frozen=True, kw_only=True)
class Session:
    """A provider after Configure."""

    config: Config
    discovery: Discovery
    client: Client | None = None
    cluster: Cluster | None = None
    unreachable: str = ""
    """Why there is no cluster; empty when there is one."""

    @property
    def reachable(self) -> bool:
        """Whether the cluster answered when it was asked."""
        return self.cluster is not None


def open_session(config: Config, engine: Engine) -> Session:
    """Find the cluster and ask it for its version; a session without a cluster says why."""
    try:
        connection = kubeconfig.connect(
            kubeconfig.load(config.kubeconfig),
            context=config.context,
            cluster=config.cluster,
            namespace=config.namespace,
        )
        config = replace(config, namespace=connection.namespace)
        client = Client(connection, qps=config.qps, burst=config.burst, timeout_s=config.timeout_s or READ_TIMEOUT_S)
        client.get("/version")
    except (KubeconfigError, Unreachable, ApiError) as error:
        return Session(config=config, discovery=Discovery(None), unreachable=str(error))
    discovery = Discovery(client)
    cluster = Cluster(client, discovery, engine, config)
    return Session(config=config, discovery=discovery, client=client, cluster=cluster)
