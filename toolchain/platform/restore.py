"""`make restore`: the whole cluster from its repository, all there is or up to a moment. Nothing is touched before a
rehearsal's first half has shown that the repository answers, opens and is whole.
"""

import json
import sys
import time
import uuid
from datetime import UTC, datetime

from components.postgres.names import APP, RESTORE_OBJECT, RESTORE_TEST, STATE_OBJECTS
from toolchain.kit.console import ToolError, say
from toolchain.platform import stack as stacks
from toolchain.platform.backups import run_job, target
from toolchain.platform.kube import Target

PATIENCE_S = 4 * 3600
GONE_S = 300
POLL_S = 1.0
MEMBERS = f"app.kubernetes.io/name={APP}"


def restore(stack: str, *, to: str = "", confirm: str = "") -> int:
    """Put the whole cluster back to what the repository holds, or to a moment (--to); what is newer is gone."""
    moment = normalised(to)
    where = target(stack)
    members = len(stacks.outputs(where.tools, stack)["postgresHosts"])  # type: ignore[arg-type]
    agree(stack, confirm, living(where))
    begin = time.monotonic()
    preflight(where, moment)
    say(f"  the repository answers, opens, and is whole: {time.monotonic() - begin:.1f} s")
    identity = uuid.uuid4().hex
    wish(where, {"id": identity, "to": moment})
    stop_members(where)
    forget_state(where)
    where.kubectl("scale", "statefulset", APP, f"--replicas={members}")
    wait_for_members(where, members)
    wish(where, {"id": None, "to": None})
    say(f"  stack {stack} is restored to {moment or 'the end of its archive'}: {time.monotonic() - begin:.1f} s")
    return 0


def normalised(to: str) -> str:
    """The moment in UTC as PostgreSQL and pgBackRest both read it; empty stays empty. Raises `ToolError`."""
    if not to:
        return ""
    way_out = "give one such as 2026-11-24T09:59:59+00:00"
    try:
        moment = datetime.fromisoformat(to)
    except ValueError:
        raise ToolError(f"TO = {to!r}: a moment in ISO 8601; {way_out}") from None
    if moment.tzinfo is None:
        raise ToolError(f"TO = {to!r}: needs its offset from UTC, or it could mean another moment; {way_out}")
    if moment > datetime.now(UTC):
        raise ToolError(f"TO = {to!r}: lies in the future; leave it out to restore all there is")
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def living(where: Target) -> bool:
    """Whether a primary is there, whose data a restore would replace."""
    pods = json.loads(where.kubectl("get", "pods", "-l", f"{MEMBERS},role=primary", "-o", "json"))["items"]
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for pod in pods
        for condition in pod["status"].get("conditions", [])
    )


def agree(stack: str, confirm: str, alive: bool) -> None:
    """Somebody types the stack's name where it is protected, or where a living primary would be replaced."""
    protected = stacks.protected(stack)
    if not (protected or alive) or confirm == stack:
        return
    why = "is protected" if protected else "has a living primary, and what it wrote since the restored moment is lost"
    if confirm or not sys.stdin.isatty():
        raise ToolError(f"stack {stack} {why}; to go on, give CONFIRM={stack}")
    if input(f"Stack {stack} {why}. Type its name to restore it: ") != stack:
        raise ToolError("that is not its name; nothing was changed")


def preflight(where: Target, moment: str) -> None:
    """Could it succeed? Raises `ToolError`, before anything was touched."""
    name = f"postgres-preflight-{int(time.time())}"
    try:
        run_job(where, RESTORE_TEST, name, ("--preflight", *(("--to", moment) if moment else ())))
    except ToolError as error:
        raise ToolError(f"nothing was changed, since a restore could not succeed: {error}") from None


def wish(where: Target, data: dict[str, str | None]) -> None:
    """Write what the members look for when they start."""
    where.kubectl("patch", "configmap", RESTORE_OBJECT, "--type=merge", "-p", json.dumps({"data": data}))


def stop_members(where: Target) -> None:
    """Take all members away, and wait until they are gone."""
    where.kubectl("scale", "statefulset", APP, "--replicas=0")
    deadline = time.monotonic() + GONE_S
    while where.kubectl("get", "pods", "-l", MEMBERS, "-o", "name").strip():
        if time.monotonic() > deadline:
            raise ToolError(f"members of stack {where.stack} do not end within {GONE_S} s; then run this again")
        time.sleep(POLL_S)


def forget_state(where: Target) -> None:
    """Clear what Patroni keeps of the cluster that was, so that a member may begin one."""
    clear = json.dumps({"metadata": {"annotations": None}})
    for name in STATE_OBJECTS:
        where.kubectl("patch", "configmap", name, "--type=merge", "-p", clear)


def wait_for_members(where: Target, members: int) -> None:
    """Wait for a primary, then for the others, which copy from it."""
    deadline = time.monotonic() + PATIENCE_S
    begin = time.monotonic()
    served = False
    while time.monotonic() < deadline:
        if not served and living(where):
            served = True
            say(f"  a primary serves: {time.monotonic() - begin:.1f} s after the members were stopped")
        found = json.loads(where.kubectl("get", "statefulset", APP, "-o", "json"))["status"]
        if served and found.get("readyReplicas", 0) == members:
            return
        time.sleep(POLL_S)
    raise ToolError(f"stack {where.stack} has not come back within {PATIENCE_S} s; see the log of the members")
