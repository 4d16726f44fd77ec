"""Probes with their units in the argument names."""

from collections.abc import Sequence

from pulumi_kubernetes.core.v1 import ExecActionArgs, HTTPGetActionArgs, ProbeArgs, TCPSocketActionArgs


def http_probe(path: str, port: int | str, *, period_s: int, timeout_s: int, failures: int) -> ProbeArgs:
    """GET `path`: any status from 200 to 399 is a success; `failures` misses in a row are a failure."""
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=path, port=port, scheme="HTTP"),
        period_seconds=period_s,
        timeout_seconds=timeout_s,
        failure_threshold=failures,
    )


def tcp_probe(port: int | str, *, period_s: int, timeout_s: int, failures: int) -> ProbeArgs:
    """Open a TCP connection: it says that somebody listens, not that somebody serves."""
    return ProbeArgs(
        tcp_socket=TCPSocketActionArgs(port=port),
        period_seconds=period_s,
        timeout_seconds=timeout_s,
        failure_threshold=failures,
    )


def exec_probe(command: Sequence[str], *, period_s: int, timeout_s: int, failures: int) -> ProbeArgs:
    """Run a command in the container: exit code 0 is a success. It costs a process each period."""
    return ProbeArgs(
        exec_=ExecActionArgs(command=list(command)),
        period_seconds=period_s,
        timeout_seconds=timeout_s,
        failure_threshold=failures,
    )
