"""Requests to processes on loopback, which have no certificate."""

import ssl
from collections.abc import Mapping, Sequence

import httpx

# Without it httpx reads the machine's list of authorities for each request, also for one without TLS: 12 ms of a
# processor, which the process that is waited for could have used to start.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


Headers = Mapping[str, str] | Sequence[tuple[str, str]]


def ask(
    method: str, url: str, headers: Headers | None = None, json: object = None, timeout: float = 20
) -> httpx.Response:
    """One request on a connection of its own."""
    return httpx.request(method, url, headers=headers, json=json, timeout=timeout, verify=NO_AUTHORITIES)
