"""Deployments, Service, budgets and service accounts of the trading engine."""

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    PodTemplateSpecArgs,
    Service,
    ServiceAccount,
    ServicePortArgs,
    ServiceSpecArgs,
)
from pulumi_kubernetes.networking.v1 import Ingress

from components.kit.component import Component
from components.kit.disruption import disruption_budget
from components.kit.labels import labels, selector
from components.kit.metadata import matching, metadata, pod_metadata
from components.kit.waivers import waive
from components.trading import access, broker
from components.trading.args import Role, TradingArgs
from components.trading.ingress import annotations, ingress_spec
from components.trading.pods import HTTP_PORT, pod
from components.trading.roles import APP, RoleSpec, roles
from components.trading.scaling import autoscaler


class Trading(Component):
    """A Deployment `trading-<role>` for each of the seven roles, and Service `trading-api`.

    Attributes:
        api_service: plain name of the API's Service.
        api_port: its port.
    """

    token = "trading:trading:Trading"
    api_service = f"{APP}-api"
    api_port = HTTP_PORT

    def __init__(self, name: str, args: TradingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        if args.access.allowlist is not None:
            ConfigMap(
                f"{name}-allowlist",
                metadata=metadata(access.NAME, args.namespace, labels(APP, "api")),
                data=access.data(args.access.allowlist),
                opts=self.child(),
            )
        deployments = {role: self._role(name, role, spec, args) for role, spec in roles(args).items()}
        service = Service(
            f"{name}-api-service",
            metadata=metadata(self.api_service, args.namespace, labels(APP, "api")),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                selector=selector(APP, "api"),
                ports=[ServicePortArgs(name="http", port=HTTP_PORT, target_port="http", protocol="TCP")],
            ),
            opts=self.child(),
        )
        if args.broker.postback:
            self._postback(name, args)
        if args.api_autoscaling is not None:
            HorizontalPodAutoscaler(
                f"{name}-api-autoscaler",
                metadata=metadata(self.api_service, args.namespace, labels(APP, "api")),
                spec=autoscaler(self.api_service, args.api_replicas, args.api_autoscaling),
                opts=self.child(depends_on=[deployments["api"]]),
            )
        if args.entrance is not None:
            Ingress(
                f"{name}-api-ingress",
                metadata=metadata(self.api_service, args.namespace, labels(APP, "api"), annotations(args.entrance)),
                spec=ingress_spec(args.entrance, self.api_service),
                opts=self.child(depends_on=[service]),
            )
        self.register_outputs({"api_service": self.api_service, "api_port": self.api_port})

    def _postback(self, name: str, args: TradingArgs) -> None:
        """Where the broker calls back; who stands by does not listen, so that the caller tries the one that leads."""
        Service(
            f"{name}-postback-service",
            metadata=metadata(broker.POSTBACK_SERVICE, args.namespace, labels(APP, "execution")),
            spec=ServiceSpecArgs(
                type="ClusterIP",
                selector=selector(APP, "execution"),
                ports=[
                    ServicePortArgs(name="postback", port=broker.POSTBACK_PORT, target_port="postback", protocol="TCP")
                ],
            ),
            opts=self.child(),
        )

    def _role(self, name: str, role: Role, spec: RoleSpec, args: TradingArgs) -> Deployment:
        named = metadata(f"{APP}-{role}", args.namespace, labels(APP, role))
        account = ServiceAccount(
            f"{name}-{role}-account", metadata=named, automount_service_account_token=False, opts=self.child()
        )
        deployment = Deployment(
            f"{name}-{role}",
            metadata=metadata(f"{APP}-{role}", args.namespace, labels(APP, role), waive(spec.waived)),
            spec=DeploymentSpecArgs(
                replicas=spec.replicas,
                revision_history_limit=3,
                selector=matching(selector(APP, role)),
                strategy=spec.strategy,
                template=PodTemplateSpecArgs(metadata=pod_metadata(labels(APP, role)), spec=pod(role, spec, args)),
            ),
            opts=self.child(depends_on=[account]),
        )
        disruption_budget(
            f"{name}-{role}-budget",
            object_name=f"{APP}-{role}",
            namespace=args.namespace,
            labels=labels(APP, role),
            selector=selector(APP, role),
            opts=self.child(),
        )
        return deployment
