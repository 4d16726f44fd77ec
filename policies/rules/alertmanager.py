"""Alertmanager's configuration: every alert ends with somebody."""

from collections.abc import Iterable, Iterator

from policies.kit.objects import Object
from policies.kit.rule import Context, Finding, Found, Rule, Severity
from policies.kit.texts import files, parsed
from policies.kit.values import Fields


def configurations(obj: Object) -> Iterable[Fields]:
    """Every Alertmanager configuration in a ConfigMap or Secret."""
    for path, text in files(obj, "alertmanager"):
        if "receivers" in text:
            given = Fields(parsed(text), path)
            if {"receivers", "route"} <= given.keys():
                yield given


def routes(route: Fields) -> Iterator[Fields]:
    """A route with all routes below it."""
    yield route
    for child in route.each("routes"):
        yield from routes(child)


def _receivers(given: Fields, _: Context) -> Found:
    for receiver in given.each("receivers"):
        if not any(key.endswith("_configs") and receiver.list(key) for key in receiver):
            yield Finding(receiver.path, f"receiver {receiver.get('name')!r} tells nobody")


def _routes(given: Fields, _: Context) -> Found:
    known = {receiver.get("name") for receiver in given.each("receivers")}
    root = given.sub("route")
    if not root.get("receiver"):
        yield Finding(root.at("receiver"), "is not set, and an alert that no route takes ends here")
    for route in routes(root):
        receiver = route.get("receiver")
        if receiver and receiver not in known:
            yield Finding(route.at("receiver"), f"there is no receiver {receiver!r}")


RULES = (
    Rule(
        id="alert-receivers",
        title="Every receiver of alerts tells somebody",
        severity=Severity.CRITICAL,
        remediation="give the receiver a webhook, mail address or pager",
        kinds=("ConfigMap", "Secret"),
        each=configurations,
        check=_receivers,
    ),
    Rule(
        id="alert-routes",
        title="Every route of alerts leads to a receiver",
        severity=Severity.CRITICAL,
        remediation="name a receiver of the same file",
        kinds=("ConfigMap", "Secret"),
        each=configurations,
        check=_routes,
    ),
)
