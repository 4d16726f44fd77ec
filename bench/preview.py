"""What policies and report add to a preview of a stack's shape, and of that shape twice, on an empty state.

    make bench-preview        (needs `make up`, or a cluster by KUBECONFIG)

One line a number, with the limit beside it; the machine on top. Exit 1 when the report adds more than its limit.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.platform import Number
from toolchain.kit.console import main_guard
from toolchain.kit.paths import ROOT
from toolchain.platform import stack as stacks
from toolchain.platform.shape import shape
from toolchain.platform.tools import Tools, ensure_tools
from toolchain.report import build, engine, files
from toolchain.report.findings import with_failures, with_policies
from toolchain.report.model import Report
from toolchain.report.render_markdown import comment

RUNS = 5
ESTATE = ROOT / "bench" / "estate"
REPORT_LIMIT_S = 1.0
PREVIEW_LIMIT_S = 15.0


def plain(tools: Tools, stack: str, folder: Path, *flags: str) -> float:
    """Wall-clock seconds of the CLI alone; a violated policy ends it with an error, which does not matter here."""
    begin = time.monotonic()
    tools.run("pulumi", "preview", "--stack", stack, "--non-interactive", *flags, cwd=folder, quiet=True)
    return time.monotonic() - begin


def reported(tools: Tools, stack: str, folder: Path, *flags: str) -> tuple[float, float, int]:
    """Seconds of the preview with its event log, seconds of the report made of that, and number of resources."""
    begin = time.monotonic()
    done = engine.run(tools, "preview", ["pulumi", "preview", "--stack", stack, *flags], folder)
    middle = time.monotonic()
    changes = build.changes(done.log.steps)
    report = Report(stack=stack, source="preview", basis="bench", changes=changes)
    report = with_failures(with_policies(report, done.log), done.code, done.log, done.printed)
    comment([report])
    files.text(report)
    return middle - begin, time.monotonic() - middle, len(done.log.steps)


def command(stack: str, runs: int) -> list[Number]:
    """What `make preview` adds to `pulumi preview` where both compare with a state; nothing for a stack without one."""
    tools = ensure_tools(stack)
    if not stacks.exists(tools, stack):
        return []
    argv = [sys.executable, "-m", "toolchain.report", "preview", "--stack", stack, "--no-policies"]
    alone, whole = [], []
    for _ in range(runs):
        alone.append(plain(tools, stack, ROOT))
        begin = time.monotonic()
        subprocess.run(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        whole.append(time.monotonic() - begin)
    added = statistics.median(whole) - statistics.median(alone)
    return [
        Number(f"pulumi preview of {stack}, with its state", statistics.median(alone), PREVIEW_LIMIT_S, "s"),
        Number("  what the whole command adds to it", added, REPORT_LIMIT_S, "s"),
    ]


def measure(stack: str, runs: int, program: Path = ROOT) -> list[Number]:
    """The medians of the stack's shape, as `program` declares it."""
    tools = ensure_tools(stack)
    pack = ROOT / "policies"
    variants = {"": ()} | (
        {" with policies": ("--policy-pack", str(pack))} if (pack / "PulumiPolicy.yaml").is_file() else {}
    )
    numbers = []
    with shape(tools, stack, program) as (here, folder):
        plain(here, stack, folder)  # warms the file cache
        for name, flags in variants.items():
            without, logged, made, count = [], [], [], 0
            for _ in range(runs):
                # by turns, so that a load of the machine that changes meets both
                without.append(plain(here, stack, folder, *flags))
                seconds, report_s, count = reported(here, stack, folder, *flags)
                logged.append(seconds)
                made.append(report_s)
            what = f"{stack} twice" if program == ESTATE else stack
            title = f"preview of {what}{name}, {count} resources"
            numbers.append(Number(title, statistics.median(without), PREVIEW_LIMIT_S, "s"))
            numbers.append(Number("  the same with its event log", statistics.median(logged), PREVIEW_LIMIT_S, "s"))
            numbers.append(Number("  the report made of that", statistics.median(made), REPORT_LIMIT_S, "s"))
    return numbers


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench.preview", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--stack", default="prod", help="whose shape (default: prod)")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each variant (default: {RUNS})")
    args = parser.parse_args()
    print(
        f"machine: {os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}", file=sys.stderr
    )
    numbers = [*command("local", args.runs), *measure(args.stack, args.runs), *measure(args.stack, args.runs, ESTATE)]
    for number in numbers:
        print(number)
    return int(any(number.value > number.limit for number in numbers))


if __name__ == "__main__":
    main_guard(main)
