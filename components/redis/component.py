"""StatefulSets of data nodes and Sentinels, a Service for each of their pods, budgets and configuration."""

import hashlib

import pulumi
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

from components.kit.component import Component
from components.kit.disruption import disruption_budget
from components.kit.labels import labels, selector
from components.kit.metadata import matching, metadata, pod_metadata
from components.kit.volumes import claim_template
from components.redis.args import RedisArgs
from components.redis.configuration import redis_conf, sentinel_conf
from components.redis.image.settings import AGENT_PORT, SENTINEL_PORT
from components.redis.pods import DATA, Part, parts, pod

CONFIG_ANNOTATION = "trading-platform/config-hash"


class Redis(Component):
    """One master, its replicas, and the Sentinels that replace it.

    Every pod has a Service of its own, whose address is the pod's identity for life: pods come and go with other
    addresses, and a Sentinel that remembers one of those would watch a stranger.

    Attributes:
        sentinels: `host:port` of every Sentinel, for clients.
        master_name: the name to ask them for.
        services: plain name of every member's Service, data nodes first.
    """

    token = "trading:redis:Redis"

    def __init__(self, name: str, args: RedisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        servers, sentinels = parts(args)
        self.master_name = args.master_name
        self.sentinels = tuple(f"{sentinels.object_name}-{n}:{SENTINEL_PORT}" for n in range(sentinels.replicas))
        self.services: tuple[str, ...] = ()
        files = {"redis.conf": redis_conf(args), "sentinel.conf": sentinel_conf(args)}
        config = ConfigMap(
            f"{name}-config",
            metadata=metadata(f"{args.instance}-config", args.namespace, labels(args.instance)),
            data=files,
            opts=self.child(),
        )
        account = ServiceAccount(
            f"{name}-account",
            metadata=metadata(args.instance, args.namespace, labels(args.instance)),
            automount_service_account_token=False,
            opts=self.child(),
        )
        before: list[pulumi.Resource] = [config, account]
        for part in (servers, sentinels):
            before += self._services(name, part, args)
        for part, file in ((servers, "redis.conf"), (sentinels, "sentinel.conf")):
            self._members(name, part, args, hashlib.sha256(files[file].encode()).hexdigest()[:12], before)
        self.register_outputs(
            {"sentinels": list(self.sentinels), "master_name": self.master_name, "services": list(self.services)}
        )

    def _services(self, name: str, part: Part, args: RedisArgs) -> list[pulumi.Resource]:
        """One Service a pod, ready or not, because the others must reach it in order to make it ready."""
        ports = [
            ServicePortArgs(name="redis", port=part.port, target_port="redis", protocol="TCP"),
            ServicePortArgs(name="agent", port=AGENT_PORT, target_port="agent", protocol="TCP"),
        ]
        made: list[pulumi.Resource] = []
        for ordinal in range(part.replicas):
            pod_name = f"{part.object_name}-{ordinal}"
            self.services += (pod_name,)
            made.append(
                Service(
                    f"{name}-{part.component}-{ordinal}",
                    metadata=metadata(pod_name, args.namespace, labels(args.instance, part.component)),
                    spec=ServiceSpecArgs(
                        type="ClusterIP",
                        publish_not_ready_addresses=True,
                        selector={"statefulset.kubernetes.io/pod-name": pod_name},
                        ports=ports,
                    ),
                    opts=self.child(),
                )
            )
        return made

    def _members(self, name: str, part: Part, args: RedisArgs, config_hash: str, before: list[pulumi.Resource]) -> None:
        """The StatefulSet with the headless Service that it needs, and its budget.

        All pods start at once: a node proves its role by what the others say, so they must be there to be asked; in
        order, the first would wait for a second one that does not come before the first is ready.
        """
        own, chosen = labels(args.instance, part.component), selector(args.instance, part.component)
        governing = Service(
            f"{name}-{part.component}-members",
            metadata=metadata(f"{part.object_name}-members", args.namespace, own),
            spec=ServiceSpecArgs(
                cluster_ip="None",
                publish_not_ready_addresses=True,
                selector=chosen,
                ports=[ServicePortArgs(name="redis", port=part.port, target_port="redis", protocol="TCP")],
            ),
            opts=self.child(),
        )
        StatefulSet(
            f"{name}-{part.component}",
            metadata=metadata(part.object_name, args.namespace, own),
            spec=StatefulSetSpecArgs(
                replicas=part.replicas,
                revision_history_limit=3,
                service_name=f"{part.object_name}-members",
                pod_management_policy="Parallel",
                update_strategy=StatefulSetUpdateStrategyArgs(type="RollingUpdate"),
                persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicyArgs(
                    when_deleted="Retain", when_scaled="Retain"
                ),
                selector=matching(chosen),
                template=PodTemplateSpecArgs(
                    metadata=pod_metadata(own, {CONFIG_ANNOTATION: config_hash}), spec=pod(part, args)
                ),
                volume_claim_templates=[
                    claim_template(DATA, storage_gib=part.storage_gib, storage_class=args.storage_class, labels=own)
                ],
            ),
            opts=self.child(depends_on=[*before, governing]),
        )
        disruption_budget(
            f"{name}-{part.component}-budget",
            object_name=part.object_name,
            namespace=args.namespace,
            labels=own,
            selector=chosen,
            opts=self.child(),
        )
