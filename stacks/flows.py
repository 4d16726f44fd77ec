"""Who may talk to whom in the platform: the table that the NetworkPolicies are made of."""

from components.network.flows import Addresses, Flow, Namespaces, Pods
from components.postgres import names as postgres
from components.redis.image.settings import AGENT_PORT, REDIS_PORT, SENTINEL_PORT
from components.trading.pods import HTTP_PORT
from stacks.sections import NetworkSection

FEED, ENGINE, API = (Pods("trading", role) for role in ("feed", "engine", "api"))
DRILL = Pods("trading", "drill")  # the client that drills write with, a pod that is there for their time only
POSTGRES = Pods(postgres.APP)
REDIS, SENTINEL = Pods("redis", "server"), Pods("redis", "sentinel")

KUBERNETES_API = (443, 6443)


def flows(network: NetworkSection, *, behind_ingress: bool) -> tuple[Flow, ...]:
    """Every connection that the platform needs; `behind_ingress` tells how the API is reached from outside."""
    engine = tuple(
        flow
        for role in (FEED, ENGINE, API, DRILL)
        for flow in (
            Flow(role, POSTGRES, (postgres.POSTGRES_PORT,)),
            Flow(role, REDIS, (REDIS_PORT,)),
            Flow(role, SENTINEL, (SENTINEL_PORT,)),
        )
    )
    members = (
        Flow(POSTGRES, POSTGRES, (postgres.POSTGRES_PORT, postgres.PATRONI_PORT, postgres.AGENT_PORT)),
        # a member proves its role by what the processes and the agents of all the others say
        *(Flow(one, REDIS, (REDIS_PORT, AGENT_PORT)) for one in (REDIS, SENTINEL)),
        *(Flow(one, SENTINEL, (SENTINEL_PORT, AGENT_PORT)) for one in (REDIS, SENTINEL)),
    )
    outside = (
        # no pod selector can name the Kubernetes API, which Patroni keeps its leader lock in
        *(
            Flow(POSTGRES, Addresses(cidr, "network.api_server_cidrs"), KUBERNETES_API)
            for cidr in network.api_server_cidrs
        ),
        *(
            Flow(Namespaces(name, "network.api_client_namespaces"), API, (HTTP_PORT,))
            for name in network.api_client_namespaces
        ),
        # behind an Ingress only its controller sees who calls, so it enforces the list (components.trading.ingress)
        *(
            Flow(Addresses(cidr, "network.api_allow_cidrs"), API, (HTTP_PORT,))
            for cidr in ([] if behind_ingress else network.api_allow_cidrs)
        ),
    )
    return (*engine, *members, *outside)
