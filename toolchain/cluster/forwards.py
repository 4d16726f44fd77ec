"""Which Services are forwarded to loopback: a file that the forwarder watches and that lasts over a stop."""

import json
import socket
from dataclasses import asdict

from toolchain.cluster.files import write_private
from toolchain.cluster.forwarder import Forward
from toolchain.cluster.processes import wait_until
from toolchain.cluster.state import Cluster
from toolchain.kit.console import ToolError


def parse_target(target: str) -> tuple[str, str, int]:
    """`NAMESPACE/SERVICE:PORT` as its parts. Raises `ToolError`."""
    namespace, slash, rest = target.partition("/")
    service, colon, port = rest.partition(":")
    if not (namespace and slash and service and colon and port.isdigit() and 0 < int(port) < 65536):
        raise ToolError(f"service = {target!r}: want NAMESPACE/SERVICE:PORT, such as trading/trading-api:8080")
    return namespace, service, int(port)


def read_forwards(cluster: Cluster) -> dict[str, Forward]:
    """The forwards by name."""
    path = cluster.forwards_file
    entries = json.loads(path.read_text()) if path.exists() else {}
    return {name: Forward(**entry) for name, entry in entries.items()}


def write_forwards(cluster: Cluster, forwards: dict[str, Forward]) -> None:
    """Replace the file."""
    entries = {name: asdict(forward) for name, forward in sorted(forwards.items())}
    write_private(cluster.forwards_file, json.dumps(entries, indent=1) + "\n")


def add(cluster: Cluster, name: str, wanted: Forward) -> None:
    """Forward a Service, in place of what the name meant before, and wait until the port listens.

    The Service need not exist yet. Raises `ToolError` when the name is reserved or the port is taken.
    """
    forwards = read_forwards(cluster)
    if name == "kubernetes":
        raise ToolError("name = 'kubernetes': that is the API server's; choose another")
    taken = [other for other, forward in forwards.items() if other != name and forward.local == wanted.local]
    if taken or wanted.local == cluster.port:
        raise ToolError(f"port = {wanted.local}: taken by forward {(taken or ['kubernetes'])[0]!r}; choose another")
    known = forwards.get(name)
    if known != wanted and (known is None or known.local != wanted.local):
        require_free(wanted.local)
    write_forwards(cluster, forwards | {name: wanted})
    if not wait_until(lambda: listening(wanted.local), seconds=5):
        raise ToolError(f"port = {wanted.local}: the forwarder does not listen; see {cluster.folder}/log")


def remove(cluster: Cluster, name: str) -> None:
    """Forward no longer; an unknown name is no error."""
    forwards = read_forwards(cluster)
    gone = forwards.pop(name, None)
    if gone is not None:
        write_forwards(cluster, forwards)
        wait_until(lambda: not listening(gone.local), seconds=5)


def listening(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free(port: int, variable: str | None = None) -> None:
    """Raise `ToolError` when a loopback port is taken; `variable` is what would choose another one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            way_out = f"set {variable} to a free one" if variable else "choose another"
            raise ToolError(f"port = {port}: cannot listen on 127.0.0.1 ({error.strerror}); {way_out}") from error
