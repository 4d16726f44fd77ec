"""The sidecar of every node: follows the credentials, tells the node's state, marks a whole copy."""

import logging
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from components.redis.image import datadir, local
from components.redis.image.configuration import PRIORITY
from components.redis.image.credentials import MEMBER_KINDS, SENTINEL_KINDS, CredentialError, read_all
from components.redis.image.follow import follow_member, follow_sentinel
from components.redis.image.resp import CommandError, Connection
from components.redis.image.settings import AGENT_PORT, Settings
from components.redis.image.state import Applied, LastSeen, MemberState, SentinelState

PERIOD_S = 1.0
NOTE_EVERY_S = 5
# A master that is coming back is back by then; one that is lost with its volume must be replaced some time.
ORPHAN_S = 60.0
# Longer than a stop may take: a node that still runs was not stopped.
STOP_S = 300.0
# Some rounds of nothing but timeouts; beyond it the loop itself hangs.
STUCK_S = 30.0
log = logging.getLogger("agent")


class Agent:
    """The loop and what it last found out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._applied: dict[str, Applied] = {}
        self._complaint = ""
        self._noted_at = 0
        self._orphan_since: float | None = None
        self._beat = time.monotonic()

    def state(self) -> MemberState | SentinelState:
        """The state of this node now."""
        describe = local.sentinel_state if self._settings.is_sentinel else local.member_state
        return describe(self._settings, self._applied)

    def alive(self) -> bool:
        """Whether the loop still turns."""
        return time.monotonic() - self._beat < STUCK_S

    def run(self) -> None:
        """Turn for ever; what fails is said once and tried again."""
        while True:
            complaint = ""
            try:
                self._round()
            except CredentialError as error:
                complaint = str(error)
            except (OSError, CommandError) as error:
                self._applied = {}
                complaint = f"the local process does not answer: {error}"
            if complaint != self._complaint:
                log.info(complaint or "in step with the local process")
                self._complaint = complaint
            self._beat = time.monotonic()
            time.sleep(PERIOD_S)

    def _round(self) -> None:
        settings = self._settings
        kinds = SENTINEL_KINDS if settings.is_sentinel else MEMBER_KINDS
        credentials = read_all(settings.credentials_dir, kinds)
        with local.connect(settings) as process:
            if settings.is_sentinel:
                self._applied = follow_sentinel(process, settings, credentials)
                return
            self._applied = follow_member(process, settings, credentials)
            state = local.member_state(settings, self._applied)
            self._elect(process, state)
        self._note(state)
        datadir.run_again(settings.data_dir, marked_for_s=STOP_S)

    def _elect(self, process: Connection, state: MemberState) -> None:
        """Let a replica be promoted once it is in step with its master.

        One that has just started may lack what the master acknowledged while it was away, and when all restart together
        it may be up before that master is. If no master comes at all, its own copy, if whole, is better than none.
        """
        if not part_of_the_whole(state):
            self._orphan_since = self._orphan_since or time.monotonic()
        else:
            self._orphan_since = None
            datadir.end_joining(self._settings.data_dir)
        if not state.electable and may_lead(state, self._orphan_since, time.monotonic()):
            process.command("CONFIG", "SET", "replica-priority", str(PRIORITY))
            log.info("this node may be promoted from now on")

    def _note(self, state: MemberState) -> None:
        now = int(time.time())
        if state.role and part_of_the_whole(state) and now - self._noted_at >= NOTE_EVERY_S:
            datadir.note(self._settings.data_dir, LastSeen(at=now, role=state.role, offset=state.offset))
            self._noted_at = now


def part_of_the_whole(state: MemberState) -> bool:
    """A replica with its master, or a master with a replica: a lone master may have been left behind. Pure."""
    return state.ready and (state.link_up or state.replicas > 0)


def may_lead(state: MemberState, orphan_since: float | None, now: float) -> bool:
    """Whether Sentinel may promote a replica: in step with its master, or whole and `ORPHAN_S` without one. Pure."""
    if orphan_since is None:
        return True
    return state.has_data and not state.loading and now - orphan_since >= ORPHAN_S


def serve(settings: Settings) -> None:
    """Run the agent: the loop, and `/state`, `/ready`, `/live` over HTTP on the pod's address."""
    agent = Agent(settings)
    server = ThreadingHTTPServer((settings.pod_ip, AGENT_PORT), _handler(agent))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    agent.run()


def answer(agent: Agent, path: str) -> tuple[int, str]:
    """Status and body of a request."""
    match path:
        case "/state":
            return 200, agent.state().to_json()
        case "/ready":
            return (200, "ready\n") if agent.state().ready else (503, "not ready\n")
        case "/live":
            return (200, "alive\n") if agent.alive() else (503, "stuck\n")
    return 404, "there are /state, /ready and /live\n"


def _handler(agent: Agent) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            status, body = answer(agent, self.path)
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if self.path == "/state" else "text/plain")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Probes come every few seconds; they are not news."""

    return Handler
