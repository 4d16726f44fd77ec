"""Who may talk to whom in the platform: the table that the NetworkPolicies are made of."""

from components.network.flows import Addresses, Flow, Namespaces, Pods
from stacks.sections import NetworkSection

FEED, ENGINE, API = (Pods("trading", role) for role in ("feed", "engine", "api"))
POSTGRES = Pods("postgres")
REDIS, SENTINEL = Pods("redis", "server"), Pods("redis", "sentinel")

SQL, PATRONI = 5432, 8008
RESP, SENTINEL_PORT = 6379, 26379
HTTP = 8080
KUBERNETES_API = (443, 6443)


def flows(network: NetworkSection) -> tuple[Flow, ...]:
    """Every connection that the platform needs."""
    engine = tuple(
        flow
        for role in (FEED, ENGINE, API)
        for flow in (
            Flow(role, POSTGRES, (SQL,)),
            Flow(role, REDIS, (RESP,)),
            Flow(role, SENTINEL, (SENTINEL_PORT,)),
        )
    )
    members = (
        Flow(POSTGRES, POSTGRES, (SQL, PATRONI)),
        Flow(REDIS, REDIS, (RESP,)),
        Flow(REDIS, SENTINEL, (SENTINEL_PORT,)),
        Flow(SENTINEL, REDIS, (RESP,)),
        Flow(SENTINEL, SENTINEL, (SENTINEL_PORT,)),
    )
    # no pod selector can name the Kubernetes API, which Patroni keeps its leader lock in
    outside = (
        *(Flow(POSTGRES, Addresses(cidr), KUBERNETES_API) for cidr in network.api_server_cidrs),
        *(Flow(Namespaces(name), API, (HTTP,)) for name in network.api_client_namespaces),
    )
    return (*engine, *members, *outside)
