"""Services and Ingresses: what is seen from outside, and whether anybody answers."""

from policies.kit.objects import Object, replicas
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

POD_NAME = "statefulset.kubernetes.io/pod-name"
SET_BY_CONTROLLERS = ("apps.kubernetes.io/pod-index", "controller-revision-hash", "pod-template-hash")
SNIPPETS = ("configuration-snippet", "server-snippet", "stream-snippet", "auth-snippet", "modsecurity-snippet")


def _type(service: Fields, context: Context) -> Found:
    spec, allowed = service.sub("spec"), context.settings["allowed"]
    kind = spec.get("type") or "ClusterIP"
    if kind not in allowed:
        yield Finding(spec.at("type"), f"is {kind}, and only {', '.join(allowed)} may be")
    elif kind == "LoadBalancer" and not spec.list("loadBalancerSourceRanges"):
        yield Finding(spec.at("loadBalancerSourceRanges"), "is not set, so the whole internet may call")


def _external_ips(service: Fields, _: Context) -> Found:
    if service.sub("spec").list("externalIPs"):
        yield Finding("spec.externalIPs", "takes traffic of other pods to these addresses (CVE-2020-8554)")


def _selected(service: Fields, context: Context) -> list[Fields] | None:
    """Pod specs of the workloads that a Service selects; None where that shows only at run time."""
    selector = service.sub("spec", "selector")
    at_run_time = {*SET_BY_CONTROLLERS, *context.settings["runtime_labels"]}
    wanted = {key: selector[key] for key in selector if key not in at_run_time}
    if not wanted:
        return None
    return [
        template.sub("spec")
        for obj, template in context.stack.workloads(context.object.namespace)
        if all(_has(obj, template, key, value) for key, value in wanted.items())
    ]


def _has(obj: Object, template: Fields, key: str, value: object) -> bool:
    if key == POD_NAME:
        return obj.kind == "StatefulSet" and value in {f"{obj.name}-{ordinal}" for ordinal in range(replicas(obj))}
    return bool(template.sub("metadata", "labels").get(key) == value)


def _dangling(service: Fields, context: Context) -> Found:
    if _selected(service, context) == []:
        yield Finding(service.at("spec", "selector"), "selects no pod of the stack")


def _target_ports(service: Fields, context: Context) -> Found:
    for pod in _selected(service, context) or ():
        names = {port.get("name") for container in pod.each("containers") for port in container.each("ports")}
        for port in service.sub("spec").each("ports"):
            target = port.get("targetPort")
            if isinstance(target, str) and not target.isdecimal() and target not in names:
                yield Finding(port.at("targetPort"), f"{target!r} is no port of the pods that it selects")


def _tls(ingress: Fields, _: Context) -> Found:
    spec = ingress.sub("spec")
    secured = {host for entry in spec.each("tls") for host in entry.list("hosts")}
    for rule in spec.each("rules"):
        if not rule.get("host"):
            yield Finding(rule.at("host"), "is not set, so every host name ends up here")
        elif rule["host"] not in secured:
            yield Finding(rule.at("host"), "is served without TLS")
    if not spec.list("rules") and not spec.list("tls"):
        yield Finding(spec.at("tls"), "is not set")


def _backends(ingress: Fields, context: Context) -> Found:
    spec = ingress.sub("spec")
    paths = [path.sub("backend") for rule in spec.each("rules") for path in rule.sub("http").each("paths")]
    for backend in [spec.sub("defaultBackend"), *paths]:
        name = backend.sub("service").get("name")
        if name and context.stack.find("Service", context.object.namespace, str(name)) is None:
            yield Finding(backend.at("service", "name"), f"{name!r} is no Service of the stack")


def _snippets(ingress: Fields, context: Context) -> Found:
    annotations = context.object.annotations
    for key in sorted(annotations.keys()):
        if key.rpartition("/")[2] in SNIPPETS:
            yield Finding(annotations.at(key), "runs text of this namespace inside the controller (CVE-2021-25742)")


RUNTIME_LABELS = {"runtime_labels": Setting((), "labels that something sets while the pods run")}

RULES = (
    Rule(
        id="service-type",
        title="A Service is reachable inside the cluster alone",
        severity=Severity.HIGH,
        remediation="set type: ClusterIP, and let an Ingress or Gateway face the outside",
        kinds=("Service",),
        check=_type,
        covers=("kube-score/service-type",),
        settings={"allowed": Setting(("ClusterIP",), "allowed types")},
    ),
    Rule(
        id="external-ips",
        title="A Service takes no addresses that are not its own",
        severity=Severity.CRITICAL,
        remediation="leave externalIPs out",
        kinds=("Service",),
        check=_external_ips,
        frameworks=("NSA network separation",),
    ),
    Rule(
        id="service-selects",
        title="A Service selects pods that are there",
        severity=Severity.MEDIUM,
        remediation="give it the labels of the pods, or name labels set at run time in the configuration",
        kinds=("Service",),
        check=_dangling,
        whole_stack=True,
        covers=("kube-score/service-targets-pod",),
        settings=RUNTIME_LABELS,
    ),
    Rule(
        id="service-ports",
        title="A Service's named target port is a port of its pods",
        severity=Severity.HIGH,
        remediation="name a port that the containers declare",
        kinds=("Service",),
        check=_target_ports,
        whole_stack=True,
        settings=RUNTIME_LABELS,
    ),
    Rule(
        id="ingress-tls",
        title="An Ingress serves named hosts over TLS",
        severity=Severity.HIGH,
        remediation="name the host in spec.rules and in spec.tls",
        kinds=("Ingress",),
        check=_tls,
        frameworks=("NSA network separation",),
    ),
    Rule(
        id="ingress-backends",
        title="An Ingress leads to Services that are there",
        severity=Severity.MEDIUM,
        remediation="name a Service of the stack",
        kinds=("Ingress",),
        check=_backends,
        whole_stack=True,
        covers=("kube-score/ingress-targets-service",),
    ),
    Rule(
        id="ingress-snippets",
        title="An Ingress brings no configuration text of its own",
        severity=Severity.CRITICAL,
        remediation="leave the snippet annotation out",
        kinds=("Ingress",),
        check=_snippets,
        covers=("CKV_K8S_152", "CKV_K8S_153", "CKV_K8S_154"),
    ),
)
