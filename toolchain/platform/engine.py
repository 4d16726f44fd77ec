"""Ask the running engine, through its API, whether it trades."""

import time
from typing import Any

import httpx

from toolchain.kit.console import ToolError
from toolchain.platform import stack as stacks
from toolchain.platform.tools import Tools

TIMEOUT_S = 180
POLL_S = 0.5


def wait_until_trading(tools: Tools, stack: str, api: str) -> str:
    """Wait for the first filled order; returns lines that say where things are and what has traded.

    Raises `ToolError` when there is none within `TIMEOUT_S` seconds.
    """
    key = str(stacks.outputs(tools, stack, secrets=True)["apiKey"])
    deadline = time.monotonic() + TIMEOUT_S
    last = "no answer"
    while time.monotonic() < deadline:
        try:
            orders = get(f"{api}/v1/orders?status=FILLED", key)["orders"]
            if orders:
                positions = get(f"{api}/v1/positions", key)["positions"]
                return describe(api, orders, positions)
            last = "no filled order yet"
        except httpx.HTTPError as error:
            last = str(error)
        time.sleep(POLL_S)
    raise ToolError(f"{api}: no filled order within {TIMEOUT_S} s ({last}); look at `make status` and the engine's log")


def get(url: str, key: str) -> dict[str, Any]:
    """One JSON object from the API; raises httpx.HTTPError."""
    answer = httpx.get(url, headers={"X-API-Key": key}, timeout=5)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def describe(api: str, orders: list[dict[str, Any]], positions: list[dict[str, Any]]) -> str:
    """The closing lines of `make up`."""
    return "\n".join(
        [
            "",
            f"  The engine trades on paper: {len(orders)} filled orders, {len(positions)} positions (synthetic bars).",
            f"  API       {api}  (read and try it: {api}/docs)",
            "  API key   pulumi stack output apiKey --show-secrets",
            "  tools     . .local/env   then plain pulumi and kubectl work",
            "",
        ]
    )
