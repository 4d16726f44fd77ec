"""The API's way in from outside the cluster: one host, TLS only. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pulumi_kubernetes.networking.v1 import (
    HTTPIngressPathArgs,
    HTTPIngressRuleValueArgs,
    IngressBackendArgs,
    IngressRuleArgs,
    IngressServiceBackendArgs,
    IngressSpecArgs,
    IngressTLSArgs,
    ServiceBackendPortArgs,
)

from components.kit.errors import Problem
from components.kit.rules import allowlist, dns_name

ALLOWLIST_ANNOTATION = "nginx.ingress.kubernetes.io/whitelist-source-range"
# what callers need; /metrics is for those inside
PATHS = {"/v1": "Prefix", "/health": "Prefix", "/openapi.json": "Exact", "/docs": "Prefix"}


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """What the Ingress of the API is made of.

    Attributes:
        host: DNS name that callers use.
        class_name: IngressClass, which says whose controller serves it.
        tls_secret: Secret of type kubernetes.io/tls in the namespace, whoever keeps it.
        annotations: for the controller (body size, timeouts) and for cert-manager.
        allow_cidrs: address blocks that may call; empty allows all. ingress-nginx enforces it, by an annotation.
    """

    host: str
    class_name: str
    tls_secret: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    allow_cidrs: tuple[str, ...] = ()


def problems(entrance: Entrance) -> list[Problem]:
    """Every problem of it."""
    found = dns_name("ingress.host", entrance.host, "trading.example.com")
    found += dns_name("ingress.class_name", entrance.class_name, "nginx")
    found += dns_name("ingress.tls_secret", entrance.tls_secret, "trading-api-tls")
    found += allowlist("network.api_allow_cidrs", entrance.allow_cidrs)
    if ALLOWLIST_ANNOTATION in entrance.annotations:
        value = entrance.annotations[ALLOWLIST_ANNOTATION]
        rule = "is made from network.api_allow_cidrs, where it is checked"
        found.append(Problem(f"ingress.annotations.{ALLOWLIST_ANNOTATION}", value, rule, "give the list there"))
    return found


def annotations(entrance: Entrance) -> dict[str, str]:
    """The annotations of the object, with the allowlist among them."""
    allowed = {ALLOWLIST_ANNOTATION: ",".join(entrance.allow_cidrs)} if entrance.allow_cidrs else {}
    return {**entrance.annotations, **allowed}


def ingress_spec(entrance: Entrance, service: str) -> IngressSpecArgs:
    """One host, its certificate, and the paths that are served to the outside."""
    backend = IngressBackendArgs(
        service=IngressServiceBackendArgs(name=service, port=ServiceBackendPortArgs(name="http"))
    )
    paths = [HTTPIngressPathArgs(path=path, path_type=kind, backend=backend) for path, kind in PATHS.items()]
    return IngressSpecArgs(
        ingress_class_name=entrance.class_name,
        tls=[IngressTLSArgs(hosts=[entrance.host], secret_name=entrance.tls_secret)],
        rules=[IngressRuleArgs(host=entrance.host, http=HTTPIngressRuleValueArgs(paths=paths))],
    )
