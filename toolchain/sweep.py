"""`make sweep`: a parameter sweep too large for one machine, as an indexed Job of the engine's image.

Each pod runs every Nth combination from its own index on and prints what came out; a pod that dies is begun anew and
comes to the same. The Job is named after what it computes, so that the command, given again after an interruption, goes
on with the one that is there. It is taken away when all is collected, or a day after it has ended.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from components.kit.labels import labels
from toolchain.kit.console import ToolError, main_guard, result, say
from toolchain.platform import stack as stacks
from toolchain.platform.kube import Target
from toolchain.platform.tools import ensure_tools
from toolchain.render.stackfile import read
from trading.backtest import options
from trading.backtest.command import asked
from trading.backtest.jobs import merged
from trading.backtest.options import NAMED
from trading.domain.errors import TradingError

TEMPLATE = "trading-scheduler"  # the role that runs backtests: its image, account and rules of security
LABELS = labels("trading", "sweep") | {"app.kubernetes.io/managed-by": "make-sweep"}
DATA = "/data"
RUNS_A_POD = 10
MOST_PODS = 200
TRIES = 3  # of one part beside the first, and of the whole when pods are gone with their results
OWN_FAILURES = [1, 2]  # exit codes of what would fail again; a pod that is killed has another
HOURS, DAY_S = 6, 86_400
MEMORY = "512Mi"
POLL_S = 2.0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="toolchain.sweep", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--stack", default="local", help="local, staging or prod (default: local)")
    parser.add_argument("--parallel", type=int, default=2, metavar="N", help="pods at a time (default: 2)")
    parser.add_argument("--claim", default="", metavar="NAME", help=f"a PersistentVolumeClaim with the bars, at {DATA}")
    parser.add_argument("--out", default="", metavar="FILE", help="for the result (default: standard output)")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="those of `trading backtest sweep`, after --")
    return sweep(**vars(parser.parse_args()))


def sweep(stack: str, *, parallel: int, claim: str, out: str, arguments: Sequence[str]) -> int:
    """Share a backtest's sweep among pods of the platform's cluster; prints what `trading backtest sweep` prints.

    Raises:
        ToolError: what is asked for breaks a rule, or a part of it has failed.
    """
    wanted = parsed([one for one in arguments if one != "--"], claim)
    if parallel < 1:
        raise ToolError(f"--parallel {parallel}: must be 1 or more")
    stacks.config_file(stack)
    to = Target(ensure_tools(stack), stack, str(read(stack).values["namespace"]))
    template = json.loads(to.kubectl("get", "deployment", TEMPLATE, "-o", "json"))["spec"]["template"]["spec"]
    one = job(template, wanted.arguments, wanted.parts, parallel, claim)
    name = str(one["metadata"]["name"])
    for _ in range(TRIES):
        begin(to, one, f"{wanted.runs} runs in {wanted.parts} parts, {parallel} at a time")
        follow(to, name, wanted.parts)
        parts = [printed for index in range(wanted.parts) if (printed := part(to, name, index))]
        to.kubectl("delete", "job", name, "--timeout=60s")
        if len(parts) == wanted.parts:
            break
        say(f"  {wanted.parts - len(parts)} pods are gone with what they printed: once more")
    else:
        raise ToolError(f"job {name}: {TRIES} times pods were gone with what they printed; look at what deletes them")
    found = merged(parts)
    text = json.dumps(found, indent=1)
    if out:
        Path(out).write_text(f"{text}\n")
        say(f"  {out}: {len(found['runs'])} runs, best first")
    else:
        result(text)
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ToolError(f"sweep: {message}; see `trading backtest sweep --help`")


class Wanted(NamedTuple):
    """A sweep that was checked here, before anything is asked of a cluster.

    Attributes:
        arguments: of `trading backtest sweep`, without a shard.
        runs: combinations.
    """

    arguments: Sequence[str]
    runs: int

    @property
    def parts(self) -> int:
        """Pods that the runs are shared among."""
        return min(MOST_PODS, -(-self.runs // RUNS_A_POD))


def parsed(arguments: Sequence[str], claim: str) -> Wanted:
    """The sweep that arguments ask for. Raises `ToolError` for one that breaks a rule."""
    parser: argparse.ArgumentParser = _Parser(prog="trading")
    options.add(parser.add_subparsers(dest="command"))
    try:
        args = parser.parse_args(["backtest", "sweep", *arguments])
        runs = len(asked(args).combinations())
    except TradingError as error:
        raise ToolError(f"sweep: {error}") from error
    if args.shard or args.out:
        raise ToolError("sweep: --shard and --out of the sweep itself are set here; leave them out")
    if args.data not in NAMED and not (claim and args.data.startswith(f"{DATA}/")):
        raise ToolError(
            f"--data {args.data}: no pod has this file; put it on a PersistentVolumeClaim, and give CLAIM=its name and "
            f"--data {DATA}/<path on it>"
        )
    return Wanted(arguments, runs)


def job(template: dict[str, Any], arguments: Sequence[str], parts: int, parallel: int, claim: str) -> dict[str, Any]:
    """The Job: the engine's pod as the stack declares it, without credentials, and with the sweep as its command."""
    serving = template["containers"][0]
    what = json.dumps([serving["image"], list(arguments), parts, claim])
    shard = f"$(JOB_COMPLETION_INDEX)/{parts}"
    command = ["trading", "backtest", "sweep", *arguments, "--processes", "1", "--shard", shard]
    kept = ("serviceAccountName", "imagePullSecrets", "securityContext")
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    mounts: list[dict[str, Any]] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - in the container
    if claim:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
        mounts.append({"name": "data", "mountPath": DATA, "readOnly": True})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"sweep-{hashlib.sha256(what.encode()).hexdigest()[:10]}", "labels": LABELS},
        "spec": {
            "completionMode": "Indexed",
            "completions": parts,
            "parallelism": min(parallel, parts),
            "backoffLimitPerIndex": TRIES,
            "backoffLimit": 2 * TRIES,  # of all parts together
            "maxFailedIndexes": 0,
            "activeDeadlineSeconds": HOURS * 3600,
            "ttlSecondsAfterFinished": DAY_S,
            "podFailurePolicy": {
                "rules": [
                    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": OWN_FAILURES}},
                    # a node that was drained or lost is nobody's failed try
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {name: template[name] for name in kept if name in template}
                | {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "volumes": volumes,
                    "containers": [
                        {
                            "name": "sweep",
                            "image": serving["image"],
                            "imagePullPolicy": serving.get("imagePullPolicy", "IfNotPresent"),
                            "command": command,
                            "securityContext": serving["securityContext"],
                            "resources": {
                                "requests": {"cpu": "250m", "memory": MEMORY},
                                "limits": {"cpu": "1", "memory": MEMORY},
                            },
                            "volumeMounts": mounts,
                        }
                    ],
                },
            },
        },
    }


def begin(to: Target, one: dict[str, Any], what: str) -> None:
    """Make the Job, unless it is there."""
    name = str(one["metadata"]["name"])
    if to.kubectl("get", "job", name, "--ignore-not-found", "-o", "name"):
        say(f"job {name} is there already: going on with it")
    else:
        to.kubectl("create", "-f", "-", stdin=json.dumps(one))
        say(f"job {name}: {what}")


def follow(to: Target, name: str, parts: int) -> None:
    """Tell how far the Job is until it has ended. Raises `ToolError`, with a pod's last words, when a part failed."""
    told = -1
    while True:
        status = json.loads(to.kubectl("get", "job", name, "-o", "json"))["status"]
        done = int(status.get("succeeded", 0))
        if done != told:
            say(f"  {done} of {parts} parts")
            told = done
        ends = {c["type"] for c in status.get("conditions", []) if c["status"] == "True"}
        if "Complete" in ends:
            return
        if "Failed" in ends:
            words = to.kubectl("logs", f"job/{name}", "--tail=3").strip()
            to.kubectl("delete", "job", name, "--wait=false")
            raise ToolError(f"job {name}: a part has failed, and nothing was collected:\n{words}")
        time.sleep(POLL_S)


def part(to: Target, name: str, index: int) -> dict[str, Any] | None:
    """What one part has printed, from whichever of its pods ended well; None when that pod is gone."""
    selector = f"batch.kubernetes.io/job-name={name},batch.kubernetes.io/job-completion-index={index}"
    pods = json.loads(to.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]
    ended = [str(pod["metadata"]["name"]) for pod in pods if pod["status"]["phase"] == "Succeeded"]
    if not ended:
        return None
    found: dict[str, Any] = json.loads(to.kubectl("logs", ended[0]))
    return found


if __name__ == "__main__":
    main_guard(main)
