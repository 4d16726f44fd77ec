"""The pod of one role of the engine. Pure."""

from typing import Any

from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    PodSpecArgs,
    VolumeMountArgs,
)

from components.kit.labels import selector
from components.kit.outage import leaves_lost_node
from components.kit.probes import http_probe
from components.kit.pull import pull_secrets
from components.kit.scheduling import spread
from components.kit.security import container_security, pod_security
from components.kit.volumes import Mounted, credential_volumes, scratch
from components.trading import access, broker
from components.trading.args import Role, TradingArgs
from components.trading.roles import APP, STORES, RoleSpec, environment

UID = 10001
HTTP_PORT = 8080
MIGRATE_WAIT_S = 300
GRACE_S = 30


def pod(role: Role, spec: RoleSpec, args: TradingArgs) -> PodSpecArgs:
    """Migrate the database, then run the role; every role has the same health endpoints."""
    credentials = credential_volumes(spec.credentials, broker.secret_names(args.broker, args.secret_names))
    allowlist = access.mounted(args.access) if role == "api" else Mounted([], [])
    tmp = scratch("tmp", "/tmp", limit_mib=64)  # noqa: S108  a mount point in the container
    apart = spread(selector(APP, role), hard=spec.apart)
    return PodSpecArgs(
        service_account_name=f"{APP}-{role}",
        automount_service_account_token=False,
        # Services of the namespace as environment variables: nobody reads them, and they change with the namespace
        enable_service_links=False,
        termination_grace_period_seconds=GRACE_S,
        image_pull_secrets=pull_secrets(args.pull_secrets),
        security_context=pod_security(UID),
        affinity=apart.affinity,
        topology_spread_constraints=apart.zones,
        tolerations=leaves_lost_node(),
        init_containers=[_migrate(role, args, [*credential_volumes(STORES, args.secret_names).mounts, *tmp.mounts])],
        containers=[_serve(role, args, [*credentials.mounts, *allowlist.mounts, *tmp.mounts])],
        volumes=[*credentials.volumes, *allowlist.volumes, *tmp.volumes],
    )


def _migrate(role: Role, args: TradingArgs, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    return ContainerArgs(
        name="migrate",
        args=["migrate", "--wait-s", str(MIGRATE_WAIT_S)],
        volume_mounts=mounts,
        **_common(role, args),
    )


def _serve(role: Role, args: TradingArgs, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    """The role itself.

    Liveness asks the process alone; readiness asks for what it depends on too, so a database that is away takes a pod
    out of the Service but never restarts it.
    """
    return ContainerArgs(
        name=role,
        args=["run", role],
        ports=_ports(role, args),
        startup_probe=http_probe("/health/live", "http", period_s=2, timeout_s=2, failures=60),
        liveness_probe=http_probe("/health/live", "http", period_s=10, timeout_s=3, failures=3),
        readiness_probe=http_probe("/health/ready", "http", period_s=5, timeout_s=3, failures=2),
        volume_mounts=mounts,
        **_common(role, args),
    )


def _ports(role: Role, args: TradingArgs) -> list[ContainerPortArgs]:
    ports = {"http": HTTP_PORT}
    if role == "execution" and args.broker.postback:
        ports["postback"] = broker.POSTBACK_PORT
    return [ContainerPortArgs(name=name, container_port=port, protocol="TCP") for name, port in ports.items()]


def _common(role: Role, args: TradingArgs) -> dict[str, Any]:
    own = {"api": access.environment(args.access), "execution": broker.environment(args.broker)}
    settings = {**environment(args), **own.get(role, {})}
    return {
        "image": args.image,
        "image_pull_policy": "IfNotPresent",
        "command": ["trading"],
        "env": [EnvVarArgs(name=name, value=value) for name, value in settings.items()],
        "resources": args.resources[role].args(),
        "security_context": container_security(),
    }
