"""`make backup` and `make backups`: take one now, and say what there is."""

import contextlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from components.postgres.image.member.pgbackrest import STANZA, Repository, parse
from components.postgres.names import APP, BACKUP_APP, BACKUP_STATUS_OBJECT
from toolchain.kit.console import ToolError, result, say
from toolchain.platform import stack as stacks
from toolchain.platform.kube import Target
from toolchain.platform.tools import ensure_tools

JOB_WAIT_S = 3600
POLL_S = 1.0
MIB = 1024 * 1024
NO_STANZA = "missing stanza path"  # pgBackRest's words for a repository that nothing was put into


def target(stack: str) -> Target:
    """The stack's cluster. Raises `ToolError` when the stack is not up, or has no backups."""
    stacks.config_file(stack)
    tools = ensure_tools(stack)
    outputs = stacks.outputs(tools, stack)
    if "namespace" not in outputs:
        raise ToolError(f"stack {stack} has no outputs; run `pulumi up --stack {stack}` first")
    if "backupPassphrase" not in outputs:
        raise ToolError(f"stack {stack} keeps no backups; give Pulumi.{stack}.yaml a section `backup`, then pulumi up")
    return Target(tools, stack, str(outputs["namespace"]))


def backup(stack: str, *, kind: str = "full") -> int:
    """Take a backup now, and wait for it; its log is passed on."""
    to = target(stack)
    begin = time.monotonic()
    log = run_job(to, f"{BACKUP_APP}-{kind}", f"{BACKUP_APP}-by-hand-{int(time.time())}")
    say(log.rstrip())
    say(f"  {kind} backup of stack {stack}: {time.monotonic() - begin:.1f} s")
    return 0


def run_job(to: Target, cronjob: str, name: str, extra: Sequence[str] = ()) -> str:
    """Run what a CronJob runs, once, with more arguments; returns its log, and takes the job away again.

    Raises:
        ToolError: it failed, with the last lines of its log.
    """
    start_job(to, cronjob, name, extra)
    try:
        ended = wait_for_job(to, name)
        log = to.kubectl("logs", f"job/{name}", "--tail=-1")
        if ended != "Complete":
            lines = "\n".join(log.splitlines()[-15:])
            raise ToolError(f"job {name} of stack {to.stack} has failed:\n{lines}")
        return log
    finally:
        remove_job(to, name)


def start_job(to: Target, cronjob: str, name: str, extra: Sequence[str] = ()) -> None:
    """Begin a job after the template of a CronJob. It is tried once."""
    template = json.loads(to.kubectl("get", "cronjob", cronjob, "-o", "json"))["spec"]["jobTemplate"]
    spec = template["spec"] | {"backoffLimit": 0, "ttlSecondsAfterFinished": JOB_WAIT_S}
    container = spec["template"]["spec"]["containers"][0]
    container["command"] = [*container["command"], *extra]
    labels = template.get("metadata", {}).get("labels", {})
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": spec}
    to.kubectl("create", "-f", "-", stdin=json.dumps(job))


def wait_for_job(to: Target, name: str) -> str:
    """`Complete` or `Failed`. Raises `ToolError` when it is neither after `JOB_WAIT_S` seconds."""
    deadline = time.monotonic() + JOB_WAIT_S
    while time.monotonic() < deadline:
        conditions = json.loads(to.kubectl("get", "job", name, "-o", "json"))["status"].get("conditions", [])
        for condition in conditions:
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                return str(condition["type"])
        time.sleep(POLL_S)
    raise ToolError(f"job {name} has not ended within {JOB_WAIT_S} s; look at `kubectl -n {to.namespace} describe`")


def remove_job(to: Target, name: str) -> None:
    """Take a job and its pods away; one that is gone is fine."""
    with contextlib.suppress(ToolError):
        to.kubectl("delete", "job", name, "--ignore-not-found", "--wait=false")


def backups(stack: str, *, as_json: bool = False) -> int:
    """List the backups with age and size, the last log that was archived, and how check and rehearsal went."""
    to = target(stack)
    answer = json.loads(look(to))
    status = json.loads(to.kubectl("get", "configmap", BACKUP_STATUS_OBJECT, "-o", "json")).get("data", {})
    jobs = {name.removesuffix(".json"): json.loads(text) for name, text in status.items()}
    if as_json:
        result(json.dumps({"info": answer, "jobs": jobs}, indent=2))
    else:
        result(table(stack, parse(answer), jobs, time.time()))
    return 1 if parse(answer).problem else 0


def look(to: Target) -> str:
    """What pgBackRest says of the repository, asked in a member that is there. Raises `ToolError` with its words."""
    ask = ("pgbackrest", f"--stanza={STANZA}", "--output=json", "--log-level-console=off", "info")
    pods = to.kubectl("get", "pods", "-l", f"app.kubernetes.io/name={APP}", "-o", "name").split()
    if not pods:
        raise ToolError(f"stack {to.stack} has no member to ask; `make restore STACK={to.stack}` brings them back")
    said = ""
    for pod in pods:
        try:
            return to.kubectl("exec", pod, "-c", "backup", "--", *ask)
        except ToolError as error:
            said = str(error)
    raise ToolError(said)


def table(stack: str, held: Repository, jobs: dict[str, dict[str, Any]], now: float) -> str:
    """For a person. Pure."""
    lines = [f"Backups of stack {stack} ({held.cipher or 'not encrypted'}):", ""]
    for one in held.backups:
        made = datetime.fromtimestamp(one.stop, UTC).strftime("%Y-%m-%d %H:%M:%S")
        broken = "  BROKEN" if one.broken else ""
        lines.append(
            f"  {one.label:34} {one.kind:5} {made} UTC  {age(now - one.stop):>9} old"
            f"  {one.size / MIB:9.1f} MiB, stored {one.stored / MIB:.1f} MiB{broken}"
        )
    lines += [f"  {held.problem}"] if held.problem else []
    if held.problem == NO_STANZA:
        lines.append(f"  none yet: the next scheduled check makes the first one, or now: make backup STACK={stack}")
    lines += ["", f"  last archived log: {held.newest_wal or 'none'}"]
    for name, facts in sorted(jobs.items()):
        verdict = "ok" if facts["ok"] else f"FAILED: {facts['problem']}"
        lines.append(f"  {name:17} {verdict}, {age(now - facts['at'])} ago, took {facts['seconds']} s")
    return "\n".join(lines)


def age(seconds: float) -> str:
    """A duration in its largest sensible unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
