"""Readiness of Service and Ingress: the traffic has somewhere to go."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from toolchain.plugins.kubernetes.await_.status import Query, Related, Status
from toolchain.plugins.kubernetes.objects import Kind, Object, dig, name_of, namespace_of

SLICE: Final = Kind("discovery.k8s.io", "v1", "EndpointSlice")
SERVICE: Final = Kind("", "v1", "Service")
SETTLE_S: Final = 10.0
"""Endpoints come one by one; the official provider waits as long for stragglers."""

SERVICE_NAME: Final = "kubernetes.io/service-name"


def service_queries(obj: Object) -> Mapping[str, Query]:
    """The endpoints behind the Service."""
    return {"slices": Query(SLICE, namespace_of(obj), f"{SERVICE_NAME}={name_of(obj)}")}


def service(obj: Object, related: Related) -> Status:
    """Ready when no endpoint is unready (none at all is fine) and a load balancer has its address.

    Headless Services and those without a selector do not wait for endpoints, or a StatefulSet and its Service would
    wait for each other.
    """
    kind = dig(obj, "spec", "type", default="ClusterIP")
    if kind == "LoadBalancer" and not dig(obj, "status", "loadBalancer", "ingress", default=[]):
        return Status(
            ready=False,
            message="[2/3] Attempting to allocate IP address to Service",
            problems=("Service was not allocated an IP address; does your cloud provider support this?",),
        )
    waits = kind != "ExternalName" and dig(obj, "spec", "clusterIP") != "None" and dig(obj, "spec", "selector")
    if not waits:
        return Status(ready=True)
    slices = related.get("slices", ())
    unready = sum(not _is_ready(endpoint) for endpoint in _endpoints(slices))
    message = "[1/3] Finding Pods to direct traffic to"
    if unready or not slices:
        reason = (
            "Service does not target any Pods. Selected Pods may not be ready, or "
            "field '.spec.selector' may not match labels on any Pods"
        )
        return Status(ready=False, message=f"{message} ({unready} not ready)", problems=(reason,))
    return Status(ready=True, message=message, settle_s=SETTLE_S)


def ingress_queries(obj: Object) -> Mapping[str, Query]:
    """The Services of the namespace and the endpoints behind them."""
    namespace = namespace_of(obj)
    return {"slices": Query(SLICE, namespace), "services": Query(SERVICE, namespace)}


def ingress(obj: Object, related: Related) -> Status:
    """Ready when every backend has a ready endpoint and the controller has published an address."""
    external = {name_of(s) for s in related.get("services", ()) if dig(s, "spec", "type") == "ExternalName"}
    served = {
        dig(s, "metadata", "labels", SERVICE_NAME)
        for s in related.get("slices", ())
        if any(_is_ready(endpoint) for endpoint in _endpoints([s]))
    }
    missing = sorted(set(_backends(obj)) - external - served)
    if missing:
        return Status(
            ready=False,
            message=f"[1/3] Finding a matching service for each Ingress path ({', '.join(missing)})",
            problems=tuple(
                f"Ingress backend: Service {name!r} does not exist or has no ready endpoints" for name in missing
            ),
        )
    if not dig(obj, "status", "loadBalancer", "ingress", default=[]):
        return Status(
            ready=False,
            message="[2/3] Waiting for update of .status.loadBalancer with hostname/IP",
            problems=(
                "Ingress .status.loadBalancer field was not updated with a hostname/IP address; "
                "is an ingress controller running that serves its class?",
            ),
        )
    return Status(ready=True)


def _endpoints(slices: Iterable[Object]) -> Iterator[Object]:
    for entry in slices:
        for endpoint in entry.get("endpoints") or []:
            if not dig(endpoint, "conditions", "terminating", default=False):
                yield endpoint


def _is_ready(endpoint: Object) -> bool:
    return dig(endpoint, "conditions", "ready", default=True) is True


def _backends(obj: Object) -> Iterator[str]:
    paths = [path for rule in dig(obj, "spec", "rules", default=[]) for path in dig(rule, "http", "paths", default=[])]
    for backend in [
        dig(obj, "spec", "defaultBackend", default={}),
        *(dig(path, "backend", default={}) for path in paths),
    ]:
        if name := dig(backend, "service", "name"):
            yield name
