"""Repository, jobs and what they tell: the objects of the backups."""

import pulumi
from pulumi_kubernetes.apps.v1 import (
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicyArgs,
    StatefulSetSpecArgs,
    StatefulSetUpdateStrategyArgs,
)
from pulumi_kubernetes.batch.v1 import CronJob, CronJobSpecArgs, JobSpecArgs, JobTemplateSpecArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Service,
    ServiceAccount,
    ServicePortArgs,
    ServiceSpecArgs,
)
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgs, Role, RoleBinding, RoleRefArgs, SubjectArgs

from components.kit.component import Component
from components.kit.disruption import disruption_budget
from components.kit.labels import labels, selector
from components.kit.metadata import matching, metadata, pod_metadata
from components.kit.volumes import claim_template
from components.kit.waivers import waive
from components.postgres.args import PostgresArgs
from components.postgres.backup.args import BackupArgs
from components.postgres.backup.config import files
from components.postgres.backup.pods import REPOSITORY_VOLUME, backup_pod, rehearsal_pod, repository_pod
from components.postgres.names import (
    BACKUP_APP,
    BACKUP_PORT,
    BACKUP_SETTINGS_OBJECT,
    BACKUP_STATUS_OBJECT,
    JOB,
    REPOSITORY,
    RESTORE_OBJECT,
    RESTORE_TEST,
)

RUNS_KEPT = 2
LATE_START_S = 3600
DAY_S = 24 * 3600
DEADLINES_S = {"full": DAY_S, "diff": DAY_S, "check": 2 * 3600}
WAIVED = {
    "replica-minimum": "one host for one volume: members keep their log until it is back, and commits never wait for it"
}


class Backup(Component):
    """The repository's host (without an S3 store), a CronJob a kind of backup, the check, the rehearsal of a restore.

    Attributes:
        before: what the members mount, and so must be there before them.
    """

    token = "trading:postgres:Backup"

    def __init__(
        self, name: str, args: PostgresArgs, backup: BackupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._args, self._backup = args, backup
        self.before = self._texts(name)
        first = [*self.before, *self._rights(name)]
        if backup.s3 is None:
            first.append(self._repository(name, first))
        kinds = {"full": backup.full_schedule, "diff": backup.diff_schedule, "check": backup.check_schedule}
        for kind, schedule in kinds.items():
            self._job(f"{name}-{kind}", f"{BACKUP_APP}-{kind}", schedule, DEADLINES_S[kind],
                      backup_pod(kind, args, backup), first)  # fmt: skip
        self._job(f"{name}-restore-test", RESTORE_TEST, backup.restore_test_schedule, DAY_S,
                  rehearsal_pod(args, backup), first)  # fmt: skip
        self.register_outputs({})

    def _texts(self, name: str) -> list[pulumi.Resource]:
        """The configuration; and two that are declared empty, because jobs and `make restore` write into them."""
        own = labels(BACKUP_APP)
        settings = ConfigMap(
            f"{name}-settings",
            metadata=metadata(BACKUP_SETTINGS_OBJECT, self._args.namespace, own),
            data=files(self._backup, self._args.members),
            opts=self.child(),
        )
        written = {"status": BACKUP_STATUS_OBJECT, "restore": RESTORE_OBJECT}
        return [
            settings,
            *(
                ConfigMap(
                    f"{name}-{what}", metadata=metadata(object_name, self._args.namespace, own), opts=self.child()
                )
                for what, object_name in written.items()
            ),
        ]

    def _rights(self, name: str) -> list[pulumi.Resource]:
        """A job may say how it went, in one ConfigMap, and nothing else."""
        named = metadata(BACKUP_APP, self._args.namespace, labels(BACKUP_APP))
        account = ServiceAccount(
            f"{name}-account", metadata=named, automount_service_account_token=False, opts=self.child()
        )
        role = Role(
            f"{name}-role",
            metadata=named,
            rules=[
                PolicyRuleArgs(
                    api_groups=[""],
                    resources=["configmaps"],
                    resource_names=[BACKUP_STATUS_OBJECT],
                    verbs=["get", "patch"],
                )
            ],
            opts=self.child(),
        )
        binding = RoleBinding(
            f"{name}-binding",
            metadata=named,
            role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=BACKUP_APP),
            subjects=[SubjectArgs(kind="ServiceAccount", name=BACKUP_APP, namespace=self._args.namespace)],
            opts=self.child(depends_on=[role, account]),
        )
        return [account, role, binding]

    def _repository(self, name: str, before: list[pulumi.Resource]) -> pulumi.Resource:
        """One pod with a volume of its own; the volume outlives the StatefulSet wherever those of the members do."""
        own, chosen = labels(BACKUP_APP, REPOSITORY), selector(BACKUP_APP, REPOSITORY)
        service = Service(
            f"{name}-service",
            metadata=metadata(BACKUP_APP, self._args.namespace, own),
            spec=ServiceSpecArgs(
                cluster_ip="None",
                selector=chosen,
                ports=[ServicePortArgs(name="backup", port=BACKUP_PORT, target_port="backup", protocol="TCP")],
            ),
            opts=self.child(),
        )
        disruption_budget(
            f"{name}-budget",
            object_name=BACKUP_APP,
            namespace=self._args.namespace,
            labels=own,
            selector=chosen,
            opts=self.child(),
        )
        return StatefulSet(
            f"{name}-repository",
            metadata=metadata(BACKUP_APP, self._args.namespace, own, waive(WAIVED)),
            spec=StatefulSetSpecArgs(
                replicas=1,
                revision_history_limit=3,
                service_name=BACKUP_APP,
                selector=matching(chosen),
                update_strategy=StatefulSetUpdateStrategyArgs(type="RollingUpdate"),
                persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicyArgs(
                    when_deleted="Retain" if self._args.keep_volumes else "Delete", when_scaled="Retain"
                ),
                template=PodTemplateSpecArgs(metadata=pod_metadata(own), spec=repository_pod(self._args, self._backup)),
                volume_claim_templates=[
                    claim_template(
                        REPOSITORY_VOLUME,
                        storage_gib=self._backup.storage_gib,
                        storage_class=self._backup.storage_class or self._args.storage_class,
                        labels=own,
                    )
                ],
            ),
            opts=self.child(depends_on=[*before, service]),
        )

    def _job(
        self,
        name: str,
        object_name: str,
        schedule: str,
        deadline_s: int,
        spec: PodSpecArgs,
        before: list[pulumi.Resource],
    ) -> None:
        own = labels(BACKUP_APP, JOB)
        CronJob(
            name,
            metadata=metadata(object_name, self._args.namespace, own),
            spec=CronJobSpecArgs(
                schedule=schedule,
                time_zone="UTC",
                concurrency_policy="Forbid",
                starting_deadline_seconds=LATE_START_S,
                successful_jobs_history_limit=RUNS_KEPT,
                failed_jobs_history_limit=RUNS_KEPT,
                job_template=JobTemplateSpecArgs(
                    metadata=pod_metadata(own),
                    spec=JobSpecArgs(
                        active_deadline_seconds=deadline_s,
                        backoff_limit=1,
                        template=PodTemplateSpecArgs(metadata=pod_metadata(own), spec=spec),
                    ),
                ),
            ),
            opts=self.child(depends_on=before),
        )
