"""The pods of the backups: the server beside a member, the repository's host, and the jobs."""

from pulumi_kubernetes.core.v1 import (
    AffinityArgs,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    EphemeralVolumeSourceArgs,
    PersistentVolumeClaimSpecArgs,
    PersistentVolumeClaimTemplateArgs,
    PersistentVolumeClaimVolumeSourceArgs,
    PodAffinityArgs,
    PodAffinityTermArgs,
    PodSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
    VolumeResourceRequirementsArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.kit.footprint import Footprint, footprint
from components.kit.labels import labels, selector
from components.kit.metadata import matching
from components.kit.probes import exec_probe
from components.kit.pull import pull_secrets
from components.kit.quantities import gib
from components.kit.resources import Resources
from components.kit.scheduling import HOSTNAME, spread
from components.kit.security import container_security, pod_security
from components.kit.volumes import Mounted, credential_volumes, scratch
from components.postgres.args import PostgresArgs
from components.postgres.backup.args import BackupArgs
from components.postgres.backup.config import CONFIG_FOLDER, PATHS, REPOSITORY_FOLDER, SCRATCH_FOLDER
from components.postgres.image.member.pgbackrest import BACKUP, MEMBER, secrets_folder
from components.postgres.image.member.render import PACKAGE, PYTHON
from components.postgres.names import (
    BACKUP_APP,
    BACKUP_KIND,
    BACKUP_PORT,
    BACKUP_SETTINGS_OBJECT,
    BACKUP_STATUS_OBJECT,
    BACKUP_TLS_KIND,
    JOB,
    MEMBERS_SERVICE,
    REPOSITORY,
    REPOSITORY_HOST,
    RESTORE_OBJECT,
    SETTINGS_OBJECT,
    UID,
)
from components.postgres.tokens import token_volume

REPOSITORY_VOLUME = "repository"
REPOSITORY_CLAIM = f"{REPOSITORY_VOLUME}-{BACKUP_APP}-0"
JOBS = 3  # full, differential and check, all at once; one by hand takes the place of another
GRACE_S = 60


def needs(args: PostgresArgs, backup: BackupArgs) -> Footprint:
    """The jobs, and the repository's host. The servers beside the members are among the members' own."""
    jobs = footprint((backup.resources,), replicas=JOBS)
    rehearsal = footprint((backup.restore_resources,), replicas=1, storage_gib=args.storage_gib)
    if backup.s3 is not None:
        return jobs + rehearsal
    return jobs + rehearsal + footprint((backup.server_resources,), replicas=1, storage_gib=backup.storage_gib)


def environment(file: str) -> list[EnvVarArgs]:
    """Where pgBackRest finds its configuration, whoever calls it."""
    given = {
        "PGBACKREST_CONFIG": f"{CONFIG_FOLDER}/{file}",
        "PGBACKREST_CONFIG_INCLUDE_PATH": str(secrets_folder(PATHS)),
    }
    return [EnvVarArgs(name=name, value=value) for name, value in given.items()]


def kinds(backup: BackupArgs, *, writes: bool) -> tuple[str, ...]:
    """The Secrets that a pod mounts: who has no repository of its own needs no passphrase."""
    return (BACKUP_TLS_KIND, BACKUP_KIND) if writes or backup.s3 is not None else (BACKUP_TLS_KIND,)


def config_map(name: str, path: str, *, optional: bool = False) -> Mounted:
    """A ConfigMap as a folder."""
    source = ConfigMapVolumeSourceArgs(name=name, default_mode=0o444, optional=optional or None)
    return Mounted(
        volumes=[VolumeArgs(name=name, config_map=source)],
        mounts=[VolumeMountArgs(name=name, mount_path=path, read_only=True)],
    )


def member_volumes(args: PostgresArgs, backup: BackupArgs) -> list[Mounted]:
    """What a member's containers mount beside their own: configuration, secrets, wish, and how the jobs went."""
    return [
        config_map(BACKUP_SETTINGS_OBJECT, CONFIG_FOLDER),
        config_map(BACKUP_STATUS_OBJECT, str(PATHS.status)),
        config_map(RESTORE_OBJECT, str(PATHS.wish)),
        credential_volumes(kinds(backup, writes=False), args.secret_names),
    ]


def server_container(name: str, common_name: str, host: str, args: PostgresArgs, backup: BackupArgs) -> ContainerArgs:
    """pgBackRest's server; the ping that it is asked for life by needs no right."""
    program = [PYTHON, "-m", f"{PACKAGE}.repository", "--name", common_name, "--host", host, "--address", "0.0.0.0"]  # noqa: S104
    ping = ["pgbackrest", "--tls-server-address=127.0.0.1", "server-ping"]
    return ContainerArgs(
        name=name,
        image=args.image,
        command=program,
        ports=[ContainerPortArgs(name="backup", container_port=BACKUP_PORT, protocol="TCP")],
        resources=backup.server_resources.args(),
        security_context=container_security(),
        startup_probe=exec_probe(ping, period_s=2, timeout_s=10, failures=60),
        liveness_probe=exec_probe(ping, period_s=30, timeout_s=10, failures=4),
    )


def sidecar(
    args: PostgresArgs, backup: BackupArgs, env: list[EnvVarArgs], mounts: list[VolumeMountArgs]
) -> ContainerArgs:
    """The server beside a member, which reads its data files for a backup; its memory is none of PostgreSQL's."""
    made = server_container("backup", MEMBER, f"$(POD_NAME).{MEMBERS_SERVICE}", args, backup)
    made.env = [*env, *environment("member.conf")]
    made.volume_mounts = mounts
    return made


def own_volumes(args: PostgresArgs, backup: BackupArgs, *, writes: bool) -> list[Mounted]:
    """What every pod of the backups mounts: configuration, secrets, and memory for what is made of them."""
    return [
        config_map(BACKUP_SETTINGS_OBJECT, CONFIG_FOLDER),
        scratch("runtime", str(PATHS.runtime), limit_mib=8, in_memory=True),
        scratch("tmp", "/tmp", limit_mib=64),  # noqa: S108  the root file system is read-only
        credential_volumes(kinds(backup, writes=writes), args.secret_names),
    ]


def pod(args: PostgresArgs, container: ContainerArgs, mounted: list[Mounted]) -> PodSpecArgs:
    """The pod of one container."""
    container.volume_mounts = [mount for each in mounted for mount in each.mounts]
    return PodSpecArgs(
        service_account_name=BACKUP_APP,
        automount_service_account_token=False,
        enable_service_links=False,
        image_pull_secrets=pull_secrets(args.pull_secrets),
        security_context=pod_security(UID),
        termination_grace_period_seconds=GRACE_S,
        containers=[container],
        volumes=[volume for each in mounted for volume in each.volumes],
    )


def repository_pod(args: PostgresArgs, backup: BackupArgs) -> PodSpecArgs:
    """The repository's host: members send it the log, restores read from it. Its volume comes from the StatefulSet."""
    container = server_container(REPOSITORY, BACKUP, REPOSITORY_HOST, args, backup)
    container.env = environment("repository.conf")
    container.readiness_probe = exec_probe(["test", "-w", REPOSITORY_FOLDER], period_s=10, timeout_s=5, failures=3)
    own = Mounted([], [VolumeMountArgs(name=REPOSITORY_VOLUME, mount_path=REPOSITORY_FOLDER)])
    made = pod(args, container, [*own_volumes(args, backup, writes=True), own])
    placed = spread(selector(BACKUP_APP, REPOSITORY))
    made.affinity, made.topology_spread_constraints = placed.affinity, placed.zones
    return made


def job_container(program: list[str], file: str, resources: Resources, args: PostgresArgs) -> ContainerArgs:
    """The container of a job; it knows its own name."""
    return ContainerArgs(
        name="job",
        image=args.image,
        command=[PYTHON, "-m", f"{PACKAGE}.{program[0]}", *program[1:], "--host", BACKUP_APP],
        env=environment(file),
        resources=resources.args(),
        security_context=container_security(),
    )


def backup_pod(kind: str, args: PostgresArgs, backup: BackupArgs) -> PodSpecArgs:
    """A backup or the check. With a volume for the repository it runs on the node where that is."""
    container = job_container(["backup", kind], "repository.conf", backup.resources, args)
    mounted = [*own_volumes(args, backup, writes=True), token_volume()]
    if backup.s3 is None:
        source = PersistentVolumeClaimVolumeSourceArgs(claim_name=REPOSITORY_CLAIM)
        mounted.append(
            Mounted(
                [VolumeArgs(name=REPOSITORY_VOLUME, persistent_volume_claim=source)],
                [VolumeMountArgs(name=REPOSITORY_VOLUME, mount_path=REPOSITORY_FOLDER)],
            )
        )
    made = pod(args, container, mounted)
    made.restart_policy = "Never"
    if backup.s3 is None:
        near = PodAffinityTermArgs(label_selector=matching(selector(BACKUP_APP, REPOSITORY)), topology_key=HOSTNAME)
        made.affinity = AffinityArgs(
            pod_affinity=PodAffinityArgs(required_during_scheduling_ignored_during_execution=[near])
        )
    return made


def rehearsal_pod(args: PostgresArgs, backup: BackupArgs) -> PodSpecArgs:
    """The rehearsal of a restore, on a volume of the members' size that goes with the pod."""
    container = job_container(["restoretest"], "restore.conf", backup.restore_resources, args)
    claim = PersistentVolumeClaimTemplateArgs(
        metadata=ObjectMetaArgs(labels=labels(BACKUP_APP, JOB)),
        spec=PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            storage_class_name=args.storage_class,
            resources=VolumeResourceRequirementsArgs(requests={"storage": gib(args.storage_gib)}),
        ),
    )
    space = Mounted(
        [VolumeArgs(name="scratch", ephemeral=EphemeralVolumeSourceArgs(volume_claim_template=claim))],
        [VolumeMountArgs(name="scratch", mount_path=SCRATCH_FOLDER)],
    )
    parts = [
        *own_volumes(args, backup, writes=False),
        config_map(SETTINGS_OBJECT, str(PATHS.config)),
        scratch("sockets", str(PATHS.sockets), limit_mib=8, in_memory=True),
        scratch("shm", "/dev/shm", limit_mib=64, in_memory=True),  # noqa: S108
        space,
        token_volume(),
    ]
    made = pod(args, container, parts)
    made.restart_policy = "Never"
    return made
