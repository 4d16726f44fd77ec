"""Who may talk to whom in the platform: the table that the NetworkPolicies are made of."""

from typing import get_args

from components.network.flows import Addresses, Flow, Namespaces, Pods
from components.postgres import names as postgres
from components.postgres.backup.args import BackupArgs
from components.redis.image.settings import AGENT_PORT, REDIS_PORT, SENTINEL_PORT
from components.trading.args import Role
from components.trading.broker import POSTBACK_PORT, Broker
from components.trading.pods import HTTP_PORT
from stacks.sections import NetworkSection

API, EXECUTION = Pods("trading", "api"), Pods("trading", "execution")
ROLES = tuple(Pods("trading", role) for role in get_args(Role))
POSTGRES = Pods(postgres.APP)
REPOSITORY, JOB = (Pods(postgres.BACKUP_APP, part) for part in (postgres.REPOSITORY, postgres.JOB))
REDIS, SENTINEL = Pods("redis", "server"), Pods("redis", "sentinel")

KUBERNETES_API = (443, 6443)


def flows(
    network: NetworkSection, *, behind_ingress: bool, backup: BackupArgs | None, broker: Broker
) -> tuple[Flow, ...]:
    """Every connection that the platform needs; `behind_ingress` tells how the API is reached from outside."""
    engine = tuple(
        flow
        for role in ROLES
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
    return (
        *engine,
        *members,
        *outside,
        *(() if backup is None else backups(network, backup)),
        *(() if broker.is_paper else orders(network, broker)),
    )


def orders(network: NetworkSection, broker: Broker) -> tuple[Flow, ...]:
    """Who executes orders reaches the broker, who calls back by way of the controller that serves the API."""
    calls = (Flow(EXECUTION, Addresses(cidr, "network.broker_cidrs"), (broker.port,)) for cidr in network.broker_cidrs)
    back = (
        Flow(Namespaces(name, "network.api_client_namespaces"), EXECUTION, (POSTBACK_PORT,))
        for name in (network.api_client_namespaces if broker.postback else ())
    )
    return (*calls, *back)


def backups(network: NetworkSection, backup: BackupArgs) -> tuple[Flow, ...]:
    """Members send the log, jobs copy data and say how it went; the repository opens no connection itself."""
    ends = (POSTGRES, JOB)
    store = (
        tuple(Flow(end, REPOSITORY, (postgres.BACKUP_PORT,)) for end in ends)
        if backup.s3 is None
        else tuple(
            Flow(end, Addresses(cidr, "network.backup_cidrs"), (backup.s3.port,))
            for end in ends
            for cidr in network.backup_cidrs
        )
    )
    status = (
        Flow(JOB, Addresses(cidr, "network.api_server_cidrs"), KUBERNETES_API) for cidr in network.api_server_cidrs
    )
    return (*store, Flow(JOB, POSTGRES, (postgres.BACKUP_PORT,)), *status)
