"""A canary is judged by the answers of the pods themselves: real HTTP servers here, well and unwell."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from toolchain.delivery import canary
from toolchain.delivery.__main__ import parser
from toolchain.delivery.canary import Budget, Reading, problems, quantile_s, reading
from toolchain.delivery.watch import watch
from toolchain.kit.console import ToolError
from trading.api.app import SECONDS

BUDGET = Budget(error_share=0.1, p95_s=0.25, requests=4)


class Pod:
    """A server with the API's histogram, whose answers are as told.

    Attributes:
        status: of each answer.
        seconds: what the histogram says each took.
        restarts_at: number of the request at which all counters begin again; 0 for never.
    """

    def __init__(self, *, status: int = 200, seconds: float = 0.01, restarts_at: int = 0) -> None:
        self.status, self.seconds, self.restarts_at = status, seconds, restarts_at
        self.asked, self.key = 0, ""
        self.reset()

    def reset(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "route", "status"]
        self.histogram = Histogram(canary.HISTOGRAM, "t", labels, registry=self.registry, buckets=(0.1, 0.25, 1))
        self.count("/health/ready", 503, 5)

    def count(self, route: str, status: int, seconds: float) -> None:
        self.histogram.labels("GET", route, status).observe(seconds)

    def answer(self, path: str, key: str) -> tuple[int, bytes]:
        if path == "/metrics":
            return 200, generate_latest(self.registry)
        self.asked, self.key = self.asked + 1, key
        if self.asked == self.restarts_at:
            self.reset()
        else:
            self.count(path, self.status, self.seconds)
        return self.status, json.dumps({"positions": []}).encode()


@contextmanager
def served(pod: Pod) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = pod.answer(self.path, self.headers.get("X-API-Key", ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


Watch = Callable[..., str]


@pytest.fixture
def watched() -> Iterator[Watch]:
    with ExitStack() as open_:

        def run(*pods: Pod, seconds: float = 1) -> str:
            urls = {f"pod-{number}": open_.enter_context(served(pod)) for number, pod in enumerate(pods)}
            return watch(urls, seconds, BUDGET, "the-key", poll_s=0.02)

        yield run


def test_pods_that_answer_well_pass_and_are_asked_with_the_key(watched: Watch) -> None:
    pods = Pod(), Pod()
    assert " answers of 2 pods, 0 errors, 95 of 100 within 0.1 s" in watched(*pods)
    assert [pod.key for pod in pods] == ["the-key"] * 2


def test_errors_over_the_budget_end_the_watch_early(watched: Watch) -> None:
    bad = Pod(status=500)
    with pytest.raises(ToolError, match=r"not well: 50\.0% of \d+ answers were errors, at most 10\.0%"):
        watched(Pod(), bad, seconds=60)
    assert bad.asked == 2


def test_slow_answers_are_not_well(watched: Watch) -> None:
    with pytest.raises(ToolError, match=r"95 of 100 answers took up to 1 s, at most 0\.25 s"):
        watched(Pod(seconds=0.5), seconds=60)


def test_refusals_of_the_client_are_no_errors_of_the_server(watched: Watch) -> None:
    assert " 0 errors" in watched(Pod(status=401))


def test_a_restart_is_not_well(watched: Watch) -> None:
    pod = Pod(restarts_at=3)
    for _ in range(5):
        pod.count("/v1/orders", 200, 0.01)
    with pytest.raises(ToolError, match="pod-0 has restarted"):
        watched(pod, seconds=60)


def test_silence_is_not_health(watched: Watch) -> None:
    with pytest.raises(ToolError, match=r"1 answers, too few to judge \(at least 4\); watch for longer"):
        watched(Pod(), seconds=0)


def test_a_pod_that_is_gone_is_named() -> None:
    with pytest.raises(ToolError, match="pod-0 does not give its metrics"):
        watch({"pod-0": "http://127.0.0.1:1"}, 1, BUDGET)


def test_health_checks_and_scrapes_do_not_count() -> None:
    text = (
        f"# TYPE {canary.HISTOGRAM} histogram\n"
        f'{canary.HISTOGRAM}_count{{route="/health/ready",status="503"}} 9\n'
        f'{canary.HISTOGRAM}_count{{route="/v1/orders",status="200"}} 3\n'
        f'{canary.HISTOGRAM}_count{{route="/v1/orders",status="503"}} 1\n'
    )
    assert reading(text) == Reading(answers=4, errors=1)


def test_a_page_without_the_histogram_is_no_reading() -> None:
    with pytest.raises(ValueError, match=canary.HISTOGRAM):
        reading("# TYPE up gauge\nup 1\n")


def test_the_quantile_is_the_bound_of_a_bucket_and_never_too_small() -> None:
    assert quantile_s(Reading(100, 0, {0.1: 94, 0.25: 95, 1: 100})) == 0.25
    assert quantile_s(Reading(100, 0, {0.1: 10})) == float("inf")


def test_what_came_before_the_watch_does_not_count() -> None:
    before = {"a": Reading(1000, 1000, {0.1: 0, 1: 1000})}
    after = {"a": Reading(1100, 1000, {0.1: 100, 1: 1100})}
    assert problems(before, after, Budget()) == []


def test_the_histogram_is_the_one_that_the_api_has() -> None:
    [family] = SECONDS.collect()
    assert family.name == canary.HISTOGRAM


def test_the_budget_of_the_command_is_that_of_the_code() -> None:
    args = parser().parse_args(["canary", "--stack", "prod"])
    assert Budget(error_share=args.error_share, p95_s=args.p95_s, requests=args.requests) == Budget()
