"""The pod of one role of the engine. Pure."""

from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    LocalObjectReferenceArgs,
    PodSpecArgs,
    VolumeMountArgs,
)

from components.kit.labels import selector
from components.kit.probes import http_probe
from components.kit.scheduling import spread
from components.kit.security import container_security, pod_security
from components.kit.volumes import credential_volumes, scratch
from components.trading.args import Role, TradingArgs
from components.trading.roles import APP, RoleSpec, environment

UID = 10001
HTTP_PORT = 8080
MIGRATE_WAIT_S = 300
GRACE_S = 30


def pod(role: Role, spec: RoleSpec, args: TradingArgs) -> PodSpecArgs:
    """Migrate the database, then run the role; every role has the same health endpoints."""
    credentials = credential_volumes(spec.credentials, args.secret_names)
    tmp = scratch("tmp", "/tmp", limit_mib=64)  # noqa: S108  a mount point in the container
    mounts = [*credentials.mounts, *tmp.mounts]
    apart = spread(selector(APP, role), hard=spec.apart)
    return PodSpecArgs(
        service_account_name=f"{APP}-{role}",
        automount_service_account_token=False,
        # Services of the namespace as environment variables: nobody reads them, and they change with the namespace
        enable_service_links=False,
        termination_grace_period_seconds=GRACE_S,
        image_pull_secrets=[LocalObjectReferenceArgs(name=secret) for secret in args.pull_secrets],
        security_context=pod_security(UID),
        affinity=apart.affinity,
        topology_spread_constraints=apart.zones,
        init_containers=[_container("migrate", ["migrate", "--wait-s", str(MIGRATE_WAIT_S)], role, args, mounts)],
        containers=[_serving(_container(role, ["run", role], role, args, mounts))],
        volumes=[*credentials.volumes, *tmp.volumes],
    )


def _container(
    name: str, command: list[str], role: Role, args: TradingArgs, mounts: list[VolumeMountArgs]
) -> ContainerArgs:
    return ContainerArgs(
        name=name,
        image=args.image,
        image_pull_policy="IfNotPresent",
        command=["trading"],
        args=command,
        env=[EnvVarArgs(name=key, value=value) for key, value in environment(args).items()],
        resources=args.resources[role].args(),
        security_context=container_security(),
        volume_mounts=mounts,
    )


def _serving(container: ContainerArgs) -> ContainerArgs:
    """Add the port and the probes of a role that serves HTTP.

    Liveness asks the process alone; readiness asks for what it depends on too, so a database that is away takes a pod
    out of the Service but never restarts it.
    """
    container.ports = [ContainerPortArgs(name="http", container_port=HTTP_PORT, protocol="TCP")]
    container.startup_probe = http_probe("/health/live", "http", period_s=2, timeout_s=2, failures=60)
    container.liveness_probe = http_probe("/health/live", "http", period_s=10, timeout_s=3, failures=3)
    container.readiness_probe = http_probe("/health/ready", "http", period_s=5, timeout_s=3, failures=2)
    return container
