"""Finding the cluster and talking to it: kubeconfigs, credentials, requests, watches, the provider's settings."""

import base64
import json
import stat
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from toolchain.plugins.kubernetes import config, kubeconfig, ownership
from toolchain.plugins.kubernetes.client import ApiError, Client, Interrupted, Limiter, Unreachable
from toolchain.plugins.kubernetes.discovery import Discovery, NoMatch
from toolchain.plugins.kubernetes.kubeconfig import Connection, KubeconfigError, connect, load
from toolchain.plugins.kubernetes.objects import Kind, Object

KUBECONFIG = """
current-context: one
clusters:
- {name: a, cluster: {server: "https://a:6443/", certificate-authority: ca.pem}}
- {name: b, cluster: {server: "https://b:6443", insecure-skip-tls-verify: true}}
contexts:
- {name: one, context: {cluster: a, user: u, namespace: from-context}}
- {name: two, context: {cluster: b, user: v}}
users:
- {name: u, user: {token: secret-token}}
- {name: v, user: {username: me, password: mine}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text("PEM")
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    return path


# --- kubeconfig -------------------------------------------------------------------------------------------------------


def test_the_current_context_is_used_and_files_are_found_beside_the_kubeconfig(file: Path) -> None:
    found = connect(load(str(file)))
    assert (found.server, found.context, found.namespace) == ("https://a:6443", "one", "from-context")
    assert found.authority == "PEM"
    assert found.label == "https://a:6443 (kubeconfig context 'one')"
    assert "secret-token" not in repr(found)


def test_context_cluster_and_namespace_can_be_chosen(file: Path) -> None:
    assert connect(load(str(file)), context="two").insecure
    found = connect(load(str(file)), cluster="b", namespace="mine")
    assert (found.server, found.token, found.namespace) == ("https://b:6443", "secret-token", "mine")


def test_the_content_itself_may_be_given_as_yaml_or_json(file: Path) -> None:
    text = KUBECONFIG.replace("ca.pem", str(file.parent / "ca.pem"))
    assert connect(load(text)).server == "https://a:6443"
    assert connect(load(json.dumps(load(text)))).server == "https://a:6443"


def test_kubeconfigs_of_the_environment_are_merged(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.write_text(
        "clusters: [{name: c, cluster: {server: 'https://c'}}]\ncontexts: [{name: one, context: {cluster: c}}]"
    )
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{file}:{other}")
    assert connect(load("")).server == "https://a:6443", "the first file that names something wins"
    assert connect(load(""), cluster="c").server == "https://c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c\n", r"not valid YAML in line 1"),
        ("[1]\n", r"no kubeconfig"),
        ("clusters: [{name: a, cluster: {server: x}}]\n", r"no current-context"),
        (
            KUBECONFIG.replace("current-context: one", "current-context: gone"),
            r"no context named 'gone'; it has: one, two",
        ),
        (KUBECONFIG.replace("cluster: a, user: u", "cluster: z, user: u"), r"no cluster named 'z'"),
        (KUBECONFIG, r"certificate-authority '.*ca\.pem' cannot be read"),
    ],
)
def test_a_broken_kubeconfig_is_told_in_one_line_without_its_secrets(text: str, said: str) -> None:
    with pytest.raises(KubeconfigError, match=said) as caught:
        connect(load(text))
    assert "\n" not in str(caught.value)
    assert "secret-token" not in str(caught.value)


def test_no_kubeconfig_at_all_is_an_error_that_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeconfigError, match="set the provider's kubeconfig, or KUBECONFIG"):
        connect(load(""))
    with pytest.raises(KubeconfigError, match="is no file"):
        load(str(tmp_path / "none"))


# --- requests ---------------------------------------------------------------------------------------------------------

Answer = tuple[int, dict[str, str], Any]
Serve = Callable[[Callable[[BaseHTTPRequestHandler, Any], Answer]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A real HTTP server on loopback; give it a function from a request to (code, headers, JSON), get its URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(respond: Callable[[BaseHTTPRequestHandler, Any], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, headers, answer = respond(self, json.loads(body) if body else None)
                data = json.dumps(answer).encode()
                self.send_response(code)
                for key, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = handle_any

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients of these tests hang up early
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Connect(Protocol):
    """Makes a client of a URL, with further fields of its connection."""

    def __call__(self, url: str, **fields: Any) -> Client: ...  # noqa: ANN401


@pytest.fixture
def client() -> Iterator[Connect]:
    made: list[Client] = []

    def start(url: str, **fields: Any) -> Client:  # noqa: ANN401
        made.append(Client(Connection(server=url, context="test", **fields), qps=1000, burst=1000, timeout_s=5))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_connections_are_used_again_and_opened_anew_when_the_server_hung_up(serve: Serve, client: Connect) -> None:
    ports: list[int] = []

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        ports.append(request.client_address[1])
        if request.path == "/last":
            request.close_connection = True
        return 200, {}, {}

    c = client(serve(respond))
    for path in ("/a", "/b", "/last", "/c"):
        c.get(path)
        time.sleep(0.05)
    assert ports[0] == ports[1] == ports[2] != ports[3]


def test_a_refusal_carries_the_server_s_message_and_reason(serve: Serve, client: Connect) -> None:
    status = {"message": 'configmaps "a" already exists', "reason": "AlreadyExists", "details": {"kind": "configmaps"}}
    c = client(serve(lambda *_: (409, {}, status)))
    with pytest.raises(ApiError, match='configmaps "a" already exists') as caught:
        c.request("POST", "/x", body={})
    assert (caught.value.code, caught.value.reason, caught.value.namespace_missing) == (409, "AlreadyExists", False)


def test_warnings_are_handed_on(serve: Serve, client: Connect) -> None:
    c = client(serve(lambda *_: (200, {"Warning": '299 - "unknown field \\"spec.foo\\""'}, {})))
    assert c.request("POST", "/x", body={}) == ({}, ['unknown field "spec.foo"'])


def test_a_busy_server_is_asked_again(serve: Serve, client: Connect) -> None:
    answers = iter([(429, {"Retry-After": "0"}, {}), (503, {"Retry-After": "0"}, {}), (200, {}, {"ok": True})])
    assert client(serve(lambda *_: next(answers))).get("/x") == {"ok": True}


def test_expired_credentials_are_told_with_server_and_context(serve: Serve, client: Connect) -> None:
    c = client(serve(lambda *_: (401, {}, {"message": "Unauthorized"})), token="old-token")
    with pytest.raises(
        Unreachable, match=r"http://127.* \(kubeconfig context 'test'\) refuses the credentials"
    ) as caught:
        c.get("/version")
    assert "old-token" not in str(caught.value)


def test_no_server_is_told_in_one_line(client: Connect) -> None:
    with pytest.raises(
        Unreachable, match=r"http://127\.0\.0\.1:1 \(kubeconfig context 'test'\) is unreachable: .*refused"
    ):
        client("http://127.0.0.1:1").get("/version")


def test_a_credential_plugin_is_asked_for_a_token_and_again_when_it_is_refused(
    serve: Serve, tmp_path: Path, client: Connect
) -> None:
    plugin = tmp_path / "plugin"
    counter = tmp_path / "count"
    plugin.write_text(
        f"""#!/bin/sh
echo x >> {counter}
echo "{{\\"status\\": {{\\"token\\": \\"t$(wc -l < {counter})\\"}}}}"
"""
    )
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        return (200, {}, {}) if request.headers["Authorization"] == "Bearer t2" else (401, {}, {})

    c = client(serve(respond), plugin={"command": str(plugin)})
    assert c.get("/a") == {}
    assert c.get("/b") == {}
    assert counter.read_text().count("x") == 2


def test_a_missing_credential_plugin_says_how_to_get_it(serve: Serve, client: Connect) -> None:
    c = client(serve(lambda *_: (200, {}, {})), plugin={"command": "no-such-plugin", "installHint": "get it"})
    with pytest.raises(Unreachable, match=r"'no-such-plugin' is not installed\. get it"):
        c.get("/a")


def test_user_and_password_are_sent(serve: Serve, client: Connect) -> None:
    seen: list[str] = []

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        seen.append(request.headers["Authorization"])
        return 200, {}, {}

    client(serve(respond), username="me", password="mine").get("/a")
    assert seen == ["Basic " + base64.b64encode(b"me:mine").decode()]


def test_a_watch_gives_events_until_the_server_ends_it(serve: Serve, client: Connect) -> None:
    events = [{"type": "ADDED", "object": {"n": 1}}, {"type": "MODIFIED", "object": {"n": 2}}]

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        assert "watch=true" in request.path
        assert "timeoutSeconds=2" in request.path
        stream(request, *events)
        return 200, {}, {}

    c = client(serve(respond))
    assert list(c.watch("/x", timeout_s=2)) == [("ADDED", {"n": 1}), ("MODIFIED", {"n": 2})]


def test_a_watch_ends_at_once_when_the_user_cancels(serve: Serve, client: Connect) -> None:
    waiting = threading.Event()

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        stream(request, {"type": "ADDED", "object": {}})
        waiting.wait(10)
        return 200, {}, {}

    c = client(serve(respond))
    events = c.watch("/x", timeout_s=30)
    assert next(events)[0] == "ADDED"
    threading.Timer(0.2, c.interrupt).start()
    begin = time.monotonic()
    with pytest.raises(Interrupted):
        next(events)
    assert time.monotonic() - begin < 2
    with pytest.raises(Interrupted):
        c.pause(10)
    waiting.set()


def stream(request: BaseHTTPRequestHandler, *events: Object) -> None:
    """Send events as lines of a response that ends with its connection."""
    request.send_response(200)
    request.send_header("Connection", "close")
    request.end_headers()
    for event in events:
        request.wfile.write(json.dumps(event).encode() + b"\n")
    request.wfile.flush()
    if request.path.find("timeoutSeconds=30") < 0:
        request.close_connection = True
        request.wfile = open("/dev/null", "wb")  # noqa: SIM115  what follows is not for the client
        request.connection.shutdown(1)


def test_requests_are_held_back_beyond_the_burst() -> None:
    limiter = Limiter(qps=50, burst=5)
    begin = time.monotonic()
    for _ in range(10):
        limiter.wait()
    assert 0.08 <= time.monotonic() - begin < 1


def test_kinds_are_looked_up_once_and_again_when_one_is_new(serve: Serve, client: Connect) -> None:
    asked: list[str] = []
    served = [{"kind": "A", "name": "as", "namespaced": True}, {"kind": "A", "name": "as/status", "namespaced": True}]

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        asked.append(request.path)
        return (200, {}, {"resources": served}) if request.path == "/apis/g/v1" else (404, {}, {})

    discovery = Discovery(client(serve(respond)))
    assert discovery.resource(Kind("g", "v1", "A")).path("n", "x") == "/apis/g/v1/namespaces/n/as/x"
    with pytest.raises(NoMatch, match='no matches for kind "B" in version "g/v1"'):
        discovery.resource(Kind("g", "v1", "B"))
    assert asked == ["/apis/g/v1"]
    served.append({"kind": "B", "name": "bs", "namespaced": False})
    assert discovery.resource(Kind("g", "v1", "B"), fresh=True).path("n", "x") == "/apis/g/v1/bs/x"
    assert not discovery.exists(Kind("other", "v1", "C"))


def test_scopes_are_known_from_definitions_of_the_program_and_guessed_without_a_server() -> None:
    discovery = Discovery(None)
    assert discovery.namespaced(Kind("", "v1", "ConfigMap"))
    assert not discovery.namespaced(Kind("", "v1", "Namespace"))
    discovery.declare({"spec": {"group": "g", "names": {"kind": "K"}, "scope": "Cluster"}})
    assert not discovery.namespaced(Kind("g", "v9", "K"))


# --- the provider's settings ------------------------------------------------------------------------------------------


def test_properties_win_over_the_environment() -> None:
    environment = {"PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE": "true", "PULUMI_K8S_CLIENT_BURST": "7"}
    assert config.read({}, environment).mutable.config_map
    assert not config.read({"enableConfigMapMutable": "false"}, environment).mutable.config_map
    assert config.read({"kubeClientSettings": '{"qps": 1.5}'}, environment).qps == 1.5
    assert config.read({}, environment).burst == 7
    assert config.read({}, {}).server_side_apply
    assert not config.read({"enableServerSideApply": False}, {}).server_side_apply


def test_a_setting_that_cannot_be_honoured_is_named() -> None:
    assert [name for name, _ in config.failures({"renderYamlToDirectory": "x"})] == ["renderYamlToDirectory"]
    ((name, reason),) = config.failures({"kubeClientSettings": {"burst": "many"}})
    assert name == "kubeClientSettings"
    assert "'many': not a number" in reason
    assert [name for name, _ in config.failures({"strictMode": "true"})] == ["kubeconfig", "context"]
    assert config.failures({"kubeconfig": "x", "namespace": "n"}) == []


def test_only_another_cluster_replaces_the_provider(file: Path) -> None:
    same = {"kubeconfig": str(file)}
    assert config.changes(same, same) == ([], [])
    assert config.changes(same, same | {"enableSecretMutable": "true"}) == (["enableSecretMutable"], [])
    assert config.changes(same, same | {"context": "two"}) == (["context"], ["context"])
    renewed = {"kubeconfig": KUBECONFIG.replace("secret-token", "new").replace("ca.pem", str(file.parent / "ca.pem"))}
    assert config.changes(same, renewed) == (["kubeconfig"], [])
    moved = {"kubeconfig": renewed["kubeconfig"].replace("//a:", "//z:")}
    assert config.changes(same, moved) == (["kubeconfig"], ["kubeconfig"])


def test_the_cluster_identifier_alone_decides_when_it_is_set(file: Path) -> None:
    old = {"kubeconfig": str(file), "clusterIdentifier": "x"}
    assert config.changes(old, old | {"context": "two"}) == (["context"], [])
    assert config.changes(old, old | {"clusterIdentifier": "y"})[1] == ["clusterIdentifier"]
    assert config.changes({}, {"clusterIdentifier": "y"}) == (["clusterIdentifier"], [])


def test_the_active_cluster_of_a_kubeconfig(file: Path) -> None:
    loaded = kubeconfig.load(str(file))
    assert (kubeconfig.active_cluster(loaded, "", "") or {})["server"] == "https://a:6443/"
    assert kubeconfig.active_cluster(loaded, "gone", "") is None


# --- field ownership --------------------------------------------------------------------------------------------------


def entry(manager: str, operation: str, *fields: str, **more: str) -> Object:
    return {"manager": manager, "operation": operation, "fieldsV1": {f"f:{name}": {} for name in fields}, **more}


def managed(*entries: Object) -> Object:
    return {"metadata": {"managedFields": list(entries)}}


def test_what_we_created_and_what_kubectl_changed_becomes_applied_by_us() -> None:
    other = entry("controller", "Update", "x")
    status = entry("me", "Update", "s", subresource="status")
    live = managed(entry("me", "Update", "a"), other, entry("kubectl-patch", "Update", "b"), status)
    assert ownership.migrated(live, "me") == [other, status, entry("me", "Apply", "a", "b")]


def test_an_entry_that_is_there_takes_the_fields_in() -> None:
    live = managed(entry("me", "Apply", "a"), entry("pulumi-kubernetes", "Update", "b"))
    assert ownership.migrated(live, "me") == [entry("me", "Apply", "a", "b")]


def test_what_we_applied_under_another_name_is_ours() -> None:
    live = managed(entry("old", "Apply", "a"), entry("new", "Apply", "b"), entry("x", "Apply", "c"))
    assert ownership.migrated(live, "new", "old") == [entry("new", "Apply", "b", "a"), entry("x", "Apply", "c")]
    assert ownership.migrated(live, "new", "new") is None


def test_nothing_moves_when_everything_is_applied() -> None:
    assert ownership.migrated(managed(entry("me", "Apply", "a"), entry("you", "Apply", "b")), "me") is None
