"""StatefulSet of members, its Services, Patroni's rights and state, and a budget."""

import json

import pulumi
import yaml
from pulumi_kubernetes.apps.v1 import (
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicyArgs,
    StatefulSetSpecArgs,
    StatefulSetUpdateStrategyArgs,
)
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
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
from components.postgres.args import PostgresArgs
from components.postgres.backup.component import Backup
from components.postgres.names import (
    AGENT_PORT,
    APP,
    CLUSTER_LABEL,
    DATABASE,
    MEMBERS_SERVICE,
    PATRONI_PORT,
    POSTGRES_PORT,
    PRIMARY_SERVICE,
    ROLE_LABEL,
    SETTINGS_OBJECT,
    STANDBY_SERVICE,
    STATE_OBJECTS,
    member_hosts,
)
from components.postgres.patroni import common, dynamic, member, restart_hash
from components.postgres.pods import DATA_VOLUME, pod

RESTART_ANNOTATION = "trading-platform/restart-settings"
PORTS = {"postgres": POSTGRES_PORT, "patroni": PATRONI_PORT, "agent": AGENT_PORT}


class Postgres(Component):
    """A primary and its standbys, which Patroni tells apart.

    Attributes:
        hosts: `host:port` of every member, for clients that find the primary themselves.
        primary_service: plain name of the Service of the primary.
        standby_service: plain name of the Service of the standbys.
        database: name of the application's database.
        port: of PostgreSQL.
    """

    token = "trading:postgres:Postgres"
    primary_service = PRIMARY_SERVICE
    standby_service = STANDBY_SERVICE
    database = DATABASE
    port = POSTGRES_PORT

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.hosts = member_hosts(args.members)
        before = [*self._rights(name, args), *self._state(name, args), *self._services(name, args)]
        before.append(
            ConfigMap(
                f"{name}-settings",
                metadata=metadata(SETTINGS_OBJECT, args.namespace, labels(APP)),
                data={
                    "patroni.yml": yaml.safe_dump(common(args), sort_keys=False),
                    "dynamic.json": json.dumps(dynamic(args), indent=2),
                    "member.json": json.dumps(member(args), indent=2),
                },
                opts=self.child(),
            )
        )
        if args.backup is not None:
            before += Backup(f"{name}-backup", args, args.backup, self.child()).before
        self._members(name, args, before)
        disruption_budget(
            f"{name}-budget",
            object_name=APP,
            namespace=args.namespace,
            labels=labels(APP),
            selector=selector(APP),
            opts=self.child(),
        )
        self.register_outputs(
            {
                "hosts": list(self.hosts),
                "primary_service": self.primary_service,
                "standby_service": self.standby_service,
                "database": self.database,
                "port": self.port,
            }
        )

    def _rights(self, name: str, args: PostgresArgs) -> list[pulumi.Resource]:
        """What Patroni may do: read and label its pods, read and write its state. No more, and no wildcard."""
        named = metadata(APP, args.namespace, labels(APP))
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
                    resource_names=list(STATE_OBJECTS),
                    verbs=["get", "patch", "update"],
                ),
                # neither a list nor a create can be bound to names
                PolicyRuleArgs(api_groups=[""], resources=["configmaps"], verbs=["list", "watch", "create"]),
                PolicyRuleArgs(api_groups=[""], resources=["pods"], verbs=["get", "list", "watch", "patch"]),
            ],
            opts=self.child(),
        )
        binding = RoleBinding(
            f"{name}-binding",
            metadata=named,
            role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=APP),
            subjects=[SubjectArgs(kind="ServiceAccount", name=APP, namespace=args.namespace)],
            opts=self.child(depends_on=[role, account]),
        )
        return [account, role, binding]

    def _state(self, name: str, args: PostgresArgs) -> list[pulumi.Resource]:
        """Patroni's own objects, declared empty; it writes annotations, which stay out of the declaration.

        Were they made by Patroni they would be left behind by a destroy, and a new cluster would wait for the one that
        they tell of. As resources they go after the members have gone.
        """
        marked = labels(APP) | {CLUSTER_LABEL: APP}
        return [
            ConfigMap(f"{name}-state-{kind}", metadata=metadata(kind, args.namespace, marked), opts=self.child())
            for kind in STATE_OBJECTS
        ]

    def _services(self, name: str, args: PostgresArgs) -> list[pulumi.Resource]:
        """One for the members' names, ready or not; one for the primary; one for the standbys."""
        ports = [ServicePortArgs(name=n, port=port, target_port=n, protocol="TCP") for n, port in PORTS.items()]
        members = Service(
            f"{name}-members",
            metadata=metadata(MEMBERS_SERVICE, args.namespace, labels(APP)),
            spec=ServiceSpecArgs(
                cluster_ip="None", publish_not_ready_addresses=True, selector=selector(APP), ports=ports
            ),
            opts=self.child(),
        )
        roles = {PRIMARY_SERVICE: "primary", STANDBY_SERVICE: "replica"}
        by_role = [
            Service(
                f"{name}-{role}",
                metadata=metadata(object_name, args.namespace, labels(APP)),
                spec=ServiceSpecArgs(
                    type="ClusterIP",
                    selector=selector(APP) | {CLUSTER_LABEL: APP, ROLE_LABEL: role},
                    ports=ports[:1],
                ),
                opts=self.child(),
            )
            for object_name, role in roles.items()
        ]
        return [members, *by_role]

    def _members(self, name: str, args: PostgresArgs, before: list[pulumi.Resource]) -> None:
        """All at once: Patroni elects, and readiness says when a member has caught up."""
        template = PodTemplateSpecArgs(
            metadata=pod_metadata(labels(APP) | {CLUSTER_LABEL: APP}, {RESTART_ANNOTATION: restart_hash(args)}),
            spec=pod(args),
        )
        StatefulSet(
            f"{name}-members-set",
            metadata=metadata(APP, args.namespace, labels(APP)),
            spec=StatefulSetSpecArgs(
                replicas=args.members,
                service_name=MEMBERS_SERVICE,
                pod_management_policy="Parallel",
                selector=matching(selector(APP)),
                update_strategy=StatefulSetUpdateStrategyArgs(type="RollingUpdate"),
                persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicyArgs(
                    when_deleted="Retain" if args.keep_volumes else "Delete", when_scaled="Retain"
                ),
                template=template,
                volume_claim_templates=[
                    claim_template(
                        DATA_VOLUME,
                        storage_gib=args.storage_gib,
                        storage_class=args.storage_class,
                        labels=labels(APP),
                    )
                ],
            ),
            opts=self.child(depends_on=before),
        )
