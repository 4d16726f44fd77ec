"""The pod of a member: Patroni with PostgreSQL, and the agent beside it."""

from pulumi_kubernetes.core.v1 import (
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    ObjectFieldSelectorArgs,
    PodSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from components.kit.footprint import Footprint, footprint
from components.kit.labels import selector
from components.kit.probes import http_probe
from components.kit.pull import pull_secrets
from components.kit.scheduling import spread
from components.kit.security import container_security, pod_security
from components.kit.volumes import Mounted, credential_volumes, scratch
from components.postgres.args import KINDS, PostgresArgs
from components.postgres.backup.pods import environment, member_volumes, sidecar
from components.postgres.image.member.render import PACKAGE, PYTHON
from components.postgres.names import AGENT_PORT, APP, PATRONI_PORT, POSTGRES_PORT, SETTINGS_OBJECT, UID
from components.postgres.patroni import PATHS
from components.postgres.tokens import token_volume

DATA_VOLUME = "data"


def pod(args: PostgresArgs) -> PodSpecArgs:
    """The pod spec of a member. The data volume comes from the StatefulSet's claim."""
    shared, token = shared_volumes(args), token_volume()
    backup = args.backup
    shm = scratch("shm", "/dev/shm", limit_mib=max(64, args.resources.memory_mib // 4), in_memory=True)  # noqa: S108
    placed = spread(selector(APP), zones=args.zones)
    return PodSpecArgs(
        service_account_name=APP,
        automount_service_account_token=False,
        enable_service_links=False,
        image_pull_secrets=pull_secrets(args.pull_secrets),
        security_context=pod_security(UID),
        termination_grace_period_seconds=args.grace_period_s,
        affinity=placed.affinity,
        topology_spread_constraints=placed.zones,
        containers=[
            patroni_container(args, [*shared.mounts, *token.mounts, *shm.mounts]),
            agent_container(args, shared.mounts),
            *([] if backup is None else [sidecar(args, backup, identity(), shared.mounts)]),
        ],
        volumes=[*shared.volumes, *token.volumes, *shm.volumes],
    )


def needs(args: PostgresArgs) -> Footprint:
    """All members; an update takes one away before its successor comes."""
    backup = args.backup
    containers = (args.resources, args.agent_resources, *(() if backup is None else (backup.server_resources,)))
    return footprint(containers, replicas=args.members, storage_gib=args.storage_gib)


def patroni_container(args: PostgresArgs, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    """Patroni, which runs PostgreSQL.

    Its liveness says nothing of PostgreSQL: a long crash recovery must not be killed, it would begin anew. The startup
    probe covers the wait for a volume that an old pod still holds.
    """
    missed = max(2, args.ttl_s // args.loop_wait_s)
    timeout_s = max(2, args.loop_wait_s // 2)
    return ContainerArgs(
        name="patroni",
        image=args.image,
        command=program("entrypoint"),
        env=[*identity(), *(environment("member.conf") if args.backup else ())],
        ports=[
            ContainerPortArgs(name="postgres", container_port=POSTGRES_PORT, protocol="TCP"),
            ContainerPortArgs(name="patroni", container_port=PATRONI_PORT, protocol="TCP"),
        ],
        resources=args.resources.args(),
        security_context=container_security(),
        startup_probe=http_probe(
            "/liveness", "patroni", period_s=2, timeout_s=timeout_s, failures=args.startup_budget_s // 2
        ),
        liveness_probe=http_probe(
            "/liveness", "patroni", period_s=args.loop_wait_s, timeout_s=timeout_s, failures=missed
        ),
        readiness_probe=http_probe("/readiness", "patroni", period_s=args.loop_wait_s, timeout_s=timeout_s, failures=2),
        volume_mounts=mounts,
    )


def agent_container(args: PostgresArgs, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    """The agent. It is always ready: other members ask it just when PostgreSQL is not."""
    return ContainerArgs(
        name="agent",
        image=args.image,
        command=program("agent"),
        env=identity(),
        ports=[ContainerPortArgs(name="agent", container_port=AGENT_PORT, protocol="TCP")],
        resources=args.agent_resources.args(),
        security_context=container_security(),
        liveness_probe=http_probe("/health", "agent", period_s=10, timeout_s=5, failures=3),
        volume_mounts=mounts,
    )


def program(name: str) -> list[str]:
    """The command of one of the member's programs."""
    return [PYTHON, "-m", f"{PACKAGE}.{name}", "--member", "$(POD_NAME)", "--address", "$(POD_IP)"]


def identity() -> list[EnvVarArgs]:
    """The pod's name and address, which only the pod itself knows."""
    fields = {"POD_NAME": "metadata.name", "POD_IP": "status.podIP"}
    return [
        EnvVarArgs(
            name=name,
            value_from=EnvVarSourceArgs(field_ref=ObjectFieldSelectorArgs(api_version="v1", field_path=path)),
        )
        for name, path in fields.items()
    ]


def shared_volumes(args: PostgresArgs) -> Mounted:
    """What both containers mount: data, socket, rendered configuration, settings, credentials."""
    parts = [
        scratch("sockets", str(PATHS.sockets), limit_mib=8, in_memory=True),
        scratch("runtime", str(PATHS.runtime), limit_mib=8, in_memory=True),
        scratch("tmp", "/tmp", limit_mib=64),  # noqa: S108  the root file system is read-only
        credential_volumes(KINDS, args.secret_names),
        *([] if args.backup is None else member_volumes(args, args.backup)),
    ]
    settings = VolumeArgs(
        name="settings", config_map=ConfigMapVolumeSourceArgs(name=SETTINGS_OBJECT, default_mode=0o444)
    )
    return Mounted(
        volumes=[*(volume for part in parts for volume in part.volumes), settings],
        mounts=[
            VolumeMountArgs(name=DATA_VOLUME, mount_path=str(PATHS.volume)),
            VolumeMountArgs(name="settings", mount_path=str(PATHS.config), read_only=True),
            *(mount for part in parts for mount in part.mounts),
        ],
    )
