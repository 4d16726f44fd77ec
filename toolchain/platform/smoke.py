"""`make smoke`: does a platform that was just deployed do its work? Asked from outside, through the API and kubectl.

The order is a limit 5 % below the bid that is cancelled unless it fills at once: it goes the whole way through
database, engine and broker and leaves no position.
"""

import base64
import contextlib
import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from toolchain.kit.console import ToolError, result
from toolchain.platform import stack as stacks
from toolchain.platform.kube import Target
from toolchain.platform.tools import ensure_tools
from trading.security.client import Signed

PATIENCE_S = 60.0  # for all checks: what is still settling after a deploy is no failure
POLL_S = 1.0
BELOW_BID = Decimal("0.95")
GRID = 5  # rupees: a multiple of every tick size of the exchange
UNDECIDED = ("INITIALIZED", "SUBMITTED", "UNKNOWN")
POSTGRES = "app.kubernetes.io/name=postgres"
REDIS = "app.kubernetes.io/name=redis,app.kubernetes.io/component=server"
STANDBYS = "select application_name, sync_state from pg_stat_replication where state = 'streaming'"

Kubectl = Callable[..., str]


class Failed(Exception):
    """What a check found wrong, in one line."""


@dataclass(frozen=True)
class Outcome:
    """One line of the report."""

    name: str
    seconds: float
    passed: bool
    detail: str


def smoke(stack: str, *, api: str = "", read_only: bool = False) -> int:
    """Ask the running platform: health, a quote, an order, the database, Redis; exit 1 when one of them fails."""
    stacks.config_file(stack)
    tools = ensure_tools(stack)
    outputs = stacks.outputs(tools, stack, secrets=True)
    if "apiKey" not in outputs:
        raise ToolError(f"stack {stack} has no outputs; run `pulumi up --stack {stack}` first")
    where = Target(tools, stack, str(outputs["namespace"]))
    with contextlib.ExitStack() as stay:
        url = api or stay.enter_context(forwarded(where))
        client = stay.enter_context(caller(url, str(outputs["apiKey"])))
        checks = api_checks(client, read_only=read_only) | {
            "postgres": lambda: postgres(where.kubectl),
            "redis": lambda: redis(where.kubectl),
        }
        deadline = time.monotonic() + PATIENCE_S
        outcomes = [run(name, check, deadline) for name, check in checks.items()]
    result(report(url, outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def caller(url: str, key: str) -> httpx.Client:
    """A client that signs, as a stack may ask for, and sends its key too, which a version before signatures needs."""
    return httpx.Client(base_url=url.rstrip("/"), headers={"X-API-Key": key}, auth=Signed(key), timeout=10)


def run(name: str, check: Callable[[], str], deadline: float) -> Outcome:
    """Try once, and again until it passes or the deadline, by the monotonic clock, is over."""
    begin = time.monotonic()
    while True:
        try:
            detail = check()
            return Outcome(name, time.monotonic() - begin, True, detail)
        except (Failed, ToolError, httpx.HTTPError) as error:
            reason = " ".join(str(error).split())
        except (KeyError, TypeError, ValueError) as error:
            reason = f"an answer that is not this platform's: {error!r}"
        now = time.monotonic()
        if now >= deadline:
            return Outcome(name, now - begin, False, reason)
        time.sleep(POLL_S)


def report(url: str, outcomes: list[Outcome]) -> str:
    """One line a check: seconds, verdict, what was seen or why it failed."""
    rows = [f"  {o.name:10} {o.seconds:6.2f} s  {'ok    ' if o.passed else 'FAILED'}  {o.detail}" for o in outcomes]
    failed = sum(not o.passed for o in outcomes)
    last = f"{failed} of {len(outcomes)} checks failed" if failed else f"{len(outcomes)} checks passed"
    return "\n".join([f"Smoke tests of {url}", *rows, f"  {last}"])


def api_checks(client: httpx.Client, *, read_only: bool) -> dict[str, Callable[[], str]]:
    """What the API is asked, in order."""
    checks = {
        "live": lambda: health(client, "/health/live"),
        "ready": lambda: health(client, "/health/ready"),
        "quote": lambda: quote(client),
    }
    return checks if read_only else checks | {"order": order(client)}


def asked(client: httpx.Client, method: str, path: str, *statuses: int, body: object = None) -> tuple[int, Any]:
    """Status and JSON body of an answer. Raises `Failed` for any status but those that are wanted."""
    answer = client.request(method, path, json=body)
    if answer.status_code not in statuses:
        raise Failed(f"{method} {path} answers {answer.status_code}: {answer.text[:200]}")
    return answer.status_code, answer.json()


def health(client: httpx.Client, path: str) -> str:
    """A health endpoint says yes."""
    return ", ".join(f"{name} {verdict}" for name, verdict in asked(client, "GET", path, 200)[1]["checks"].items())


def quote(client: httpx.Client) -> str:
    """There is a market, and it is labelled."""
    quotes = asked(client, "GET", "/v1/quotes", 200)[1]["quotes"]
    if not quotes:
        raise Failed("no symbol has a quote yet: the feed plays nothing, or Redis lost it")
    first = quotes[0]
    return f"{len(quotes)} symbols, {first['symbol']} {first['last']} ({first['source']})"


def order(client: httpx.Client) -> Callable[[], str]:
    """The check of an order; what it sends is decided once, so that the check can be repeated."""
    sent: dict[str, object] = {}

    def check() -> str:
        if not sent:
            sent.update(ticket(asked(client, "GET", "/v1/quotes", 200)[1]["quotes"]))
        return placed_once(client, sent)

    return check


def ticket(quotes: list[dict[str, Any]]) -> dict[str, object]:
    """An order that should not trade: one share, well below the bid, cancelled unless it fills at once."""
    limits = {q["symbol"]: int(Decimal(str(q["bid"])) * BELOW_BID) // GRID * GRID for q in quotes}
    symbol = next((symbol for symbol, limit in limits.items() if limit), None)
    if symbol is None:
        raise Failed("no symbol has a bid that an order can stay below")
    name = {"client_order_id": f"smoke-{uuid.uuid4()}", "symbol": symbol, "side": "BUY", "quantity": 1}
    return name | {"type": "LIMIT", "time_in_force": "IOC", "limit_price": str(limits[symbol])}


def placed_once(client: httpx.Client, sent: Mapping[str, object]) -> str:
    """An order is placed, the same again is the same one, it is found, and the engine takes it."""
    first = asked(client, "POST", "/v1/orders", 200, 201, body=sent)[1]
    status, again = asked(client, "POST", "/v1/orders", 200, 201, body=sent)
    if status != 200 or again["id"] != first["id"]:
        raise Failed(f"{sent['client_order_id']} sent twice made two orders: {first['id']}, {again['id']}")
    found = asked(client, "GET", f"/v1/orders/{first['id']}", 200)[1]
    if found["status"] in UNDECIDED:
        raise Failed(f"order {first['id']} is still {found['status']}: no engine has taken it")
    return f"BUY 1 {sent['symbol']} at {sent['limit_price']}, IOC: {found['status']}; sent twice, one order"


def postgres(kubectl: Kubectl) -> str:
    """One primary, and a standby that commits wait for."""
    names = pods(kubectl, f"{POSTGRES},role=primary")
    if len(names) != 1:
        raise Failed(f"{len(names)} pods are labelled as the primary: {', '.join(names) or 'none'}")
    psql = ("psql", "-h", "/run/postgresql", "-d", "trading", "-AtX", "-F", " ", "-c", STANDBYS)
    standbys = dict(line.split() for line in kubectl("exec", names[0], "-c", "patroni", "--", *psql).splitlines())
    waited_for = [name for name, state in standbys.items() if state in ("sync", "quorum")]
    if not waited_for:
        raise Failed(
            f"primary {names[0]} has no synchronous standby, so no commit returns; it has {standbys or 'none'}"
        )
    return f"primary {names[0]}, synchronous {', '.join(sorted(waited_for))}"


def redis(kubectl: Kubectl) -> str:
    """One master, and every other data node follows it."""
    credential = json.loads(kubectl("get", "secret", "credentials-redis-app", "-o", "json"))["data"]
    value = {key: base64.b64decode(text).decode() for key, text in credential.items()}
    login = f"AUTH trading {value[value['current']]}\nROLE\n"  # by standard input, never as an argument
    cli = ("-c", "server", "--", "redis-cli", "-s", "/run/redis/redis.sock")
    nodes = pods(kubectl, REDIS)
    followers = {pod: replicas(kubectl("exec", "-i", pod, *cli, stdin=login)) for pod in nodes}
    masters = {pod: count for pod, count in followers.items() if count is not None}
    if len(masters) != 1:
        raise Failed(f"{len(masters)} of {len(nodes)} data nodes are masters: {', '.join(masters) or 'none'}")
    ((master, count),) = masters.items()
    if count != len(nodes) - 1:
        raise Failed(f"master {master} has {count} replicas of {len(nodes) - 1}")
    return f"master {master}, {count} replicas"


def replicas(answer: str) -> int | None:
    """How many replicas a node has by its answers to AUTH and ROLE; None for one that is no master.

    After `OK` a master says `master`, its offset, and address, port and offset of each replica, one a line.
    """
    accepted, _, role = answer.strip().partition("\n")
    lines = role.split()
    if accepted.strip() != "OK" or not lines:
        raise Failed(f"a data node refuses the login of the application: {accepted}")
    return (len(lines) - 2) // 3 if lines[0] == "master" else None


def pods(kubectl: Kubectl, selector: str) -> list[str]:
    """Names of the pods that a selector finds."""
    return kubectl("get", "pods", "-l", selector, "-o", "jsonpath={.items[*].metadata.name}").split()


@contextlib.contextmanager
def forwarded(where: Target) -> Iterator[str]:
    """URL of the API through a port-forward that ends with the block."""
    argv = where.argv("port-forward", "svc/trading-api", ":8080")
    with subprocess.Popen(
        argv, env=dict(where.tools.env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            first = process.stdout.readline() if process.stdout else ""
            if not first.startswith("Forwarding from 127.0.0.1:"):
                process.terminate()
                why = process.stderr.read().strip() if process.stderr else ""
                raise ToolError(
                    f"no port-forward to svc/trading-api in namespace {where.namespace}: {why or first.strip()}"
                )
            yield f"http://127.0.0.1:{first.split(':')[1].split()[0]}"
        finally:
            process.terminate()
