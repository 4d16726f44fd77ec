"""Watch the pods of the API while a new version takes its first requests."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import httpx

from toolchain.delivery.canary import Budget, Reading, problems, reading, summary, together
from toolchain.kit.console import ToolError
from toolchain.platform import stack as stacks
from toolchain.platform.tools import Tools

PROBE = "/v1/positions"
POLL_S = 2.0
TIMEOUT_S = 10.0
SELECTOR = "app.kubernetes.io/name=trading,app.kubernetes.io/component=api"
PORT = 8080


def watch(pods: Mapping[str, str], seconds: float, budget: Budget, key: str = "", poll_s: float = POLL_S) -> str:
    """Read each pod's metrics for that long, with a request of its own to each between; returns what was seen.

    Its own requests make sure that a quiet hour is not taken for health.

    Args:
        pods: name to base URL.
        seconds: how long.
        budget: what is good enough.
        key: API key of the requests; without one they are refused, which is an answer but asks no store.
        poll_s: seconds between two rounds.

    Raises:
        ToolError: as soon as a pod does not answer or the budget is spent, or at the end when too little was seen.
    """
    with httpx.Client(timeout=TIMEOUT_S) as client:
        before = {pod: read(client, url, pod) for pod, url in pods.items()}
        deadline = time.monotonic() + seconds
        while True:
            for url in pods.values():
                ask(client, url, key)
            after = {pod: read(client, url, pod) for pod, url in pods.items()}
            found = problems(before, after, budget)
            over = time.monotonic() >= deadline
            if found and (over or enough(before, after, budget)):
                raise ToolError("the canary is not well: " + "; ".join(found))
            if over:
                return summary(together(before, after), list(pods))
            time.sleep(poll_s)


def enough(before: Mapping[str, Reading], after: Mapping[str, Reading], budget: Budget) -> bool:
    """Whether what was seen, or that a pod restarted, is reason enough to stop early."""
    fell = any(now.answers < before[pod].answers for pod, now in after.items())
    return fell or together(before, after).answers >= budget.requests


def ask(client: httpx.Client, url: str, key: str) -> None:
    """One request; what comes of it stands in the pod's own metrics, and a pod that is gone is found by `read`."""
    try:
        client.get(url + PROBE, headers={"X-API-Key": key} if key else {})
    except httpx.HTTPError:
        return


def read(client: httpx.Client, url: str, pod: str) -> Reading:
    """The metrics of a pod. Raises `ToolError` when it does not answer."""
    try:
        answer = client.get(f"{url}/metrics").raise_for_status()
        return reading(answer.text)
    except (httpx.HTTPError, ValueError) as error:
        raise ToolError(f"the canary is not well: {pod} does not give its metrics: {error}") from None


def watch_stack(tools: Tools, stack: str, seconds: float, budget: Budget) -> str:
    """Watch the API's pods of a stack through the Kubernetes API, with the stack's own key."""
    found = stacks.outputs(tools, stack, secrets=True)
    namespace, key = str(found["namespace"]), str(found["apiKey"])
    running = ("-l", SELECTOR, "--field-selector", "status.phase=Running", "-o", "name")
    names = tools.output("kubectl", "-n", namespace, "get", "pods", *running).split()
    if not names:
        raise ToolError(f"stack {stack}: no pod of the API runs in namespace {namespace}")
    with ExitStack() as open_:
        pods = {name: open_.enter_context(forwarded(tools, namespace, name)) for name in names}
        return watch(pods, seconds, budget, key)


@contextmanager
def forwarded(tools: Tools, namespace: str, pod: str) -> Iterator[str]:
    """A base URL on this machine that reaches a pod; no network policy stands between, and none has to be opened."""
    argv = ["kubectl", "-n", namespace, "port-forward", "--address", "127.0.0.1", pod, f":{PORT}"]
    with subprocess.Popen(argv, env=dict(tools.env), stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("Forwarding from "):
                raise ToolError(f"{pod}: kubectl port-forward gives no port")
            yield f"http://{line.removeprefix('Forwarding from ').split(' ')[0]}"
        finally:
            process.terminate()
