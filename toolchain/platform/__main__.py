"""Command line: python -m toolchain.platform up|cluster|status|down [--stack NAME]."""

import argparse

from toolchain.kit.console import main_guard
from toolchain.platform import commands


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="toolchain.platform", description="The platform as a whole.")
    actions = parser.add_subparsers(dest="command", required=True)
    for run in (commands.up, commands.cluster, commands.status, commands.down):
        action = actions.add_parser(run.__name__, help=(run.__doc__ or "").splitlines()[0])
        action.add_argument("--stack", default="local", help="local, staging or prod (default: local)")
        action.set_defaults(run=run)
    args = parser.parse_args()
    code: int = args.run(args.stack)
    return code


if __name__ == "__main__":
    main_guard(main)
