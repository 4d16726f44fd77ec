"""Command line: python -m toolchain.delivery release|pin|running|plan|deploy|canary|rotate|propose."""

import argparse
from pathlib import Path

from toolchain.delivery import plans, release, rotation, watch
from toolchain.delivery.canary import Budget
from toolchain.kit.console import main_guard
from toolchain.kit.paths import LOCAL
from toolchain.platform import stack as stacks
from toolchain.platform.tools import ensure_tools


def main() -> int:
    """Run one command; returns the exit code."""
    args = parser().parse_args()
    if args.command == "release":
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(release.make(args.registry).to_json())
        print(args.out)
        return 0
    stacks.config_file(args.stack)
    return int(args.run(args) or 0)


def pin(args: argparse.Namespace) -> None:
    """Write the digests of a release into the stack's file of this checkout."""
    print("\n".join(release.pin(args.stack, args.release)))


def running(args: argparse.Namespace) -> None:
    """Print the commit and images of the stack's last whole update, as a release file."""
    print(release.running(ensure_tools(args.stack), args.stack).to_json(), end="")


def plan(args: argparse.Namespace) -> int:
    """Preview the update; keep its plan, and that of the canary, in .local/plans/."""
    return plans.plan(ensure_tools(args.stack), args.stack, folder(args.stack))


def deploy(args: argparse.Namespace) -> int:
    """Update without questions: all of it, or by plan the canary alone and then the rest."""
    tools = ensure_tools(args.stack)
    if args.part == "canary":
        return plans.apply_canary(tools, args.stack, folder(args.stack))
    if args.part == "rest":
        return plans.apply_rest(tools, args.stack, folder(args.stack))
    return plans.up(tools, args.stack)


def canary(args: argparse.Namespace) -> None:
    """Watch error share and latency of the API's pods; exit 1 when they are not well."""
    budget = Budget(error_share=args.error_share, p95_s=args.p95_s, requests=args.requests)
    if args.url:
        print(watch.watch({url: url.rstrip("/") for url in args.url}, args.seconds, budget))
    else:
        print(watch.watch_stack(ensure_tools(args.stack), args.stack, args.seconds, budget))


def rotate(args: argparse.Namespace) -> int:
    """Rotate credentials of the running platform, until every node and client has moved."""
    return rotation.rotate(ensure_tools(args.stack), args.stack, args.kind, args.options)


def propose(args: argparse.Namespace) -> None:
    """Take the next epoch of a credential in the stack's file, for a change that is reviewed."""
    print("\n".join(rotation.propose(args.stack, args.kind)) or "nothing is due")


def folder(stack: str) -> Path:
    """Where the plans of a stack are kept."""
    return LOCAL / "plans" / stack


def parser() -> argparse.ArgumentParser:
    """The options of every command."""
    top = argparse.ArgumentParser(prog="toolchain.delivery", description="The way of a change to an environment.")
    actions = top.add_subparsers(dest="command", required=True)
    text = "build this commit's images, push them, write their digests to a release file"
    made = actions.add_parser("release", help=text, description=text)
    made.add_argument("--registry", required=True, metavar="HOST/PREFIX", help="where to; log in with `buildah login`")
    made.add_argument("--out", type=Path, default=LOCAL / "release.json", metavar="FILE", help="(default: %(default)s)")
    for run in (pin, running, plan, deploy, canary, rotate, propose):
        added = actions.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        added.add_argument("--stack", required=True, help="local, staging or prod")
        added.set_defaults(run=run)
        OPTIONS.get(run.__name__, lambda _: None)(added)
    return top


def pin_options(added: argparse.ArgumentParser) -> None:
    """Options of pin."""
    added.add_argument("--release", type=Path, required=True, metavar="FILE", help="what `make release` wrote")


def deploy_options(added: argparse.ArgumentParser) -> None:
    """Options of deploy."""
    text = "canary: the API alone, rest: what is left, both as planned (default: whole, without a plan)"
    added.add_argument("--part", choices=("whole", "canary", "rest"), default="whole", help=text)


def canary_options(added: argparse.ArgumentParser) -> None:
    """Options of canary."""
    added.add_argument("--url", action="append", default=[], help="a pod's base URL, instead of the stack's pods")
    added.add_argument("--seconds", type=float, default=300, help="how long to watch (default: 300)")
    for name, value, text in (
        ("--error-share", Budget.error_share, "largest share of answers >= 500"),
        ("--p95-s", Budget.p95_s, "largest 95th percentile in seconds"),
        ("--requests", Budget.requests, "fewest answers to judge on"),
    ):
        added.add_argument(name, type=type(value), default=value, help=f"{text} (default: {value})")


def rotate_options(added: argparse.ArgumentParser) -> None:
    """Options of rotate."""
    added.add_argument("--kind", required=True, help="what, as of `trading rotate`")
    added.add_argument("options", nargs="*", metavar="OPTION", help="after --, those of `trading rotate`")


def propose_options(added: argparse.ArgumentParser) -> None:
    """Options of propose."""
    added.add_argument("--kind", required=True, help="a credential kind, or `due` for all past their intervals")


OPTIONS = {
    "pin": pin_options,
    "deploy": deploy_options,
    "canary": canary_options,
    "rotate": rotate_options,
    "propose": propose_options,
}


if __name__ == "__main__":
    main_guard(main)
