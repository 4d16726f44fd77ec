"""The pods of data nodes and Sentinels: one process, one agent, the same image. Pure."""

from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import (
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    ExecActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    ObjectFieldSelectorArgs,
    PodSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from components.kit.footprint import Footprint, footprint
from components.kit.labels import selector
from components.kit.probes import exec_probe, http_probe, tcp_probe
from components.kit.pull import pull_secrets
from components.kit.resources import Resources
from components.kit.scheduling import spread
from components.kit.security import container_security, pod_security
from components.kit.volumes import CREDENTIALS_DIR, credential_volumes, scratch
from components.redis.args import RedisArgs
from components.redis.image.credentials import MEMBER_KINDS, SENTINEL_KINDS
from components.redis.image.settings import AGENT_PORT, REDIS_PORT, SENTINEL_PORT

UID = 10020
DATA, DATA_DIR, RUN_DIR, CONFIG_DIR = "data", "/data", "/run/redis", "/config"
AGENT_RESOURCES = Resources(cpu_m=10, memory_mib=48)
SENTINEL_GRACE_S = 30
# A large append-only file takes a while to read; a node without proof of its role waits, and that is no failure either.
STARTUP_S = 3600


@dataclass(frozen=True, kw_only=True)
class Part:
    """What tells the two StatefulSets apart.

    Attributes:
        component: the label of its pods.
        object_name: of the StatefulSet and its budget; its pods are named after it.
        replicas: number of pods.
        program: what `redis-node` runs in the main container.
        port: what the process listens on.
        kinds: credentials that it mounts.
        resources: of the main container.
        storage_gib: volume of each pod.
        grace_s: time for a planned stop.
        hands_over: whether a planned stop gives the master role away first.
    """

    component: str
    object_name: str
    replicas: int
    program: str
    port: int
    kinds: tuple[str, ...]
    resources: Resources
    storage_gib: int
    grace_s: int
    hands_over: bool


def parts(args: RedisArgs) -> tuple[Part, Part]:
    """The data nodes and the Sentinels."""
    servers = Part(
        component="server",
        object_name=args.instance,
        replicas=args.members,
        program="member",
        port=REDIS_PORT,
        kinds=MEMBER_KINDS,
        resources=args.resources,
        storage_gib=args.storage_gib,
        grace_s=args.grace_s,
        hands_over=True,
    )
    sentinels = Part(
        component="sentinel",
        object_name=f"{args.instance}-sentinel",
        replicas=args.sentinels,
        program="sentinel",
        port=SENTINEL_PORT,
        kinds=SENTINEL_KINDS,
        resources=args.sentinel_resources,
        storage_gib=1,  # a few kilobytes, but no cloud sells less
        grace_s=SENTINEL_GRACE_S,
        hands_over=False,
    )
    return servers, sentinels


def needs(args: RedisArgs) -> Footprint:
    """Data nodes and Sentinels; an update takes one away before its successor comes."""
    servers, sentinels = (
        footprint((part.resources, AGENT_RESOURCES), replicas=part.replicas, storage_gib=part.storage_gib)
        for part in parts(args)
    )
    return servers + sentinels


def pod(part: Part, args: RedisArgs) -> PodSpecArgs:
    """The process with its agent beside it; both see the volume, the memory of this start and the credentials."""
    credentials = credential_volumes(part.kinds, args.secret_names)
    run = scratch("run", RUN_DIR, limit_mib=8, in_memory=True)
    config = VolumeMountArgs(name="config", mount_path=CONFIG_DIR, read_only=True)
    mounts = [VolumeMountArgs(name=DATA, mount_path=DATA_DIR), *run.mounts, config, *credentials.mounts]
    apart = spread(selector(args.instance, part.component), zones=args.zones)
    return PodSpecArgs(
        service_account_name=args.instance,
        automount_service_account_token=False,
        # the addresses of the per-member Services come this way, so nothing here needs a name server
        enable_service_links=True,
        termination_grace_period_seconds=part.grace_s,
        image_pull_secrets=pull_secrets(args.pull_secrets),
        security_context=pod_security(UID),
        affinity=apart.affinity,
        topology_spread_constraints=apart.zones,
        containers=[_process(part, args, mounts), _agent(args, mounts)],
        volumes=[
            VolumeArgs(name="config", config_map=ConfigMapVolumeSourceArgs(name=f"{args.instance}-config")),
            *run.volumes,
            *credentials.volumes,
        ],
    )


def _process(part: Part, args: RedisArgs, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    """Liveness: any answer counts, `LOADING` and `NOAUTH` too; readiness is what the agent says."""
    ping = ["redis-cli", "-s", f"{RUN_DIR}/redis.sock", "ping"]
    # its lines go to the log of the container, where those of a hook would go nowhere
    handover = ["sh", "-c", "exec redis-node handover >/proc/1/fd/2 2>&1"]
    hook = LifecycleArgs(pre_stop=LifecycleHandlerArgs(exec_=ExecActionArgs(command=handover)))
    return ContainerArgs(
        name=part.component,
        image=args.image,
        image_pull_policy="IfNotPresent",
        command=["redis-node", part.program],
        env=environment(args),
        ports=[ContainerPortArgs(name="redis", container_port=part.port, protocol="TCP")],
        startup_probe=tcp_probe("redis", period_s=1, timeout_s=1, failures=STARTUP_S),
        liveness_probe=exec_probe(ping, period_s=10, timeout_s=5, failures=3),
        readiness_probe=http_probe("/ready", AGENT_PORT, period_s=2, timeout_s=2, failures=2),
        lifecycle=hook if part.hands_over else None,
        resources=part.resources.args(),
        security_context=container_security(),
        volume_mounts=mounts,
    )


def _agent(args: RedisArgs, mounts: list[VolumeMountArgs]) -> ContainerArgs:
    return ContainerArgs(
        name="agent",
        image=args.image,
        image_pull_policy="IfNotPresent",
        command=["redis-node", "agent"],
        env=environment(args),
        ports=[ContainerPortArgs(name="agent", container_port=AGENT_PORT, protocol="TCP")],
        startup_probe=http_probe("/live", "agent", period_s=1, timeout_s=1, failures=60),
        liveness_probe=http_probe("/live", "agent", period_s=10, timeout_s=3, failures=3),
        resources=AGENT_RESOURCES.args(),
        security_context=container_security(),
        volume_mounts=mounts,
    )


def environment(args: RedisArgs) -> list[EnvVarArgs]:
    """What the programs of the image read; nothing in here is secret."""
    settings = {
        "REDIS_INSTANCE": args.instance,
        "REDIS_MASTER_NAME": args.master_name,
        "REDIS_MEMBERS": str(args.members),
        "REDIS_SENTINELS": str(args.sentinels),
        "REDIS_QUORUM": str(args.quorum),
        "REDIS_DOWN_AFTER_MS": str(args.down_after_ms),
        "DATA_DIR": DATA_DIR,
        "RUN_DIR": RUN_DIR,
        "CONFIG_DIR": CONFIG_DIR,
        "CREDENTIALS_DIR": CREDENTIALS_DIR,
    }
    return [
        _field("POD_NAME", "metadata.name"),
        _field("POD_IP", "status.podIP"),
        *(EnvVarArgs(name=name, value=value) for name, value in settings.items()),
    ]


def _field(name: str, path: str) -> EnvVarArgs:
    # the API server writes the version of the field's reference back, so it is given
    reference = ObjectFieldSelectorArgs(api_version="v1", field_path=path)
    return EnvVarArgs(name=name, value_from=EnvVarSourceArgs(field_ref=reference))
