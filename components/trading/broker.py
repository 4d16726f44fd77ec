"""Where the engine's orders go: the paper venue, or a broker with its address, keys and calls back. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from components.kit.errors import Problem
from components.kit.rules import dns_name

FIELD = "broker"
PAPER = "paper"
CREDENTIAL = "broker"
POSTBACK_PORT = 8090
POSTBACK_SERVICE = "trading-execution-postback"
HTTPS_PORT = 443
KIND = re.compile("[a-z][a-z0-9_-]{0,39}")
ALGO_ID = re.compile("[A-Za-z0-9_-]{0,40}")


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where orders go; the execution role alone knows it, and alone has the keys.

    Attributes:
        kind: `paper`, `http`, or the broker of a package that the image has.
        url: of its API, https.
        timeout_s: how long one call may take; it stops the other orders meanwhile.
        algo_id: the exchange's tag of orders that no strategy decides; strategies have their own, set while it runs.
        sandbox: whether nothing real is traded there, so that made-up prices are good enough.
        postback: whether it calls back; makes a Service.
        secret_name: a Secret that others keep, with a file a key; None for the stack's own.
    """

    kind: str = PAPER
    url: str = ""
    timeout_s: Decimal = Decimal(3)
    algo_id: str = ""
    sandbox: bool = False
    postback: bool = False
    secret_name: str | None = None

    @property
    def is_paper(self) -> bool:
        """Whether orders stay here."""
        return self.kind == PAPER

    @property
    def port(self) -> int:
        """At which its API listens."""
        return urlsplit(self.url).port or HTTPS_PORT


ON_PAPER = Broker()
"""Orders stay here."""


def problems(broker: Broker) -> list[Problem]:
    """Every problem of it."""
    found = []
    if not KIND.fullmatch(broker.kind):
        rule = "the name of a broker: a small letter, then small letters, digits, - and _"
        found.append(Problem(f"{FIELD}.kind", broker.kind, rule, "give paper, http, or what your package is named"))
    if broker.is_paper:
        given = {"url": broker.url, "postback": broker.postback, "secret_name": broker.secret_name}
        found += [
            Problem(f"{FIELD}.{key}", value, "is that of a real broker, and broker.kind is 'paper'", "leave it out")
            for key, value in given.items()
            if value
        ]
    elif not _is_https(broker.url):
        rule = "an https URL: nobody between may read the token"
        found.append(Problem(f"{FIELD}.url", broker.url, rule, "give the base URL of the broker's API"))
    if not Decimal("0.1") <= broker.timeout_s <= 30:
        rule = "0.1 to 30 seconds: a call that hangs keeps the other orders waiting"
        found.append(Problem(f"{FIELD}.timeout_s", str(broker.timeout_s), rule, "give 3"))
    if not ALGO_ID.fullmatch(broker.algo_id):
        rule = "the exchange's tag: at most 40 letters, digits, - and _"
        found.append(Problem(f"{FIELD}.algo_id", broker.algo_id, rule, "give it as the broker has written it"))
    if broker.secret_name is not None:
        found += dns_name(f"{FIELD}.secret_name", broker.secret_name, "broker-keys")
    return found


def made_up(broker: Broker, source: str) -> list[Problem]:
    """Real orders on prices that are made up, as those of this source are."""
    if broker.is_paper or broker.sandbox:
        return []
    rule = f"is made up, and broker.kind {broker.kind!r} may trade for real"
    return [Problem("trading.feed.source", source, rule, "name a real feed, or set broker.sandbox true for a sandbox")]


def environment(broker: Broker) -> Mapping[str, str]:
    """Settings of the execution role; none for the paper venue, and nothing secret."""
    if broker.is_paper:
        return {}
    settings = {
        "TRADING_BROKER": broker.kind,
        "TRADING_BROKER_URL": broker.url,
        "TRADING_BROKER_TIMEOUT_S": format(broker.timeout_s, "f"),
        "TRADING_BROKER_ALGO_ID": broker.algo_id,
        "TRADING_BROKER_SANDBOX": "yes" if broker.sandbox else "",
        "TRADING_BROKER_POSTBACK": f"0.0.0.0:{POSTBACK_PORT}" if broker.postback else "",
    }
    return {name: value for name, value in settings.items() if value}


def secret_names(broker: Broker, names: Mapping[str, str]) -> Mapping[str, str]:
    """Credential kind to Secret, with the broker's keys where they are."""
    return names if broker.secret_name is None else {**names, CREDENTIAL: broker.secret_name}


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        return False
