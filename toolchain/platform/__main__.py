"""Command line: python -m toolchain.platform up|cluster|tools|status|down|secrets-check|smoke."""

import argparse

from toolchain.kit.console import main_guard
from toolchain.platform import commands
from toolchain.platform.checklist import secrets_check
from toolchain.platform.smoke import smoke


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="toolchain.platform", description="The platform as a whole.")
    actions = parser.add_subparsers(dest="command", required=True)
    added = {}
    own = (commands.up, commands.cluster, commands.tools, commands.status, commands.down)
    for run in (*own, secrets_check, smoke):
        name = run.__name__.replace("_", "-")
        added[name] = action = actions.add_parser(name, help=(run.__doc__ or "").splitlines()[0])
        action.add_argument("--stack", default="local", help="local, staging or prod (default: local)")
        action.set_defaults(run=run)
    added["secrets-check"].add_argument("--json", dest="as_json", action="store_true", help="for programs")
    added["smoke"].add_argument("--api", default="", metavar="URL", help="where the API is (default: a port-forward)")
    added["smoke"].add_argument("--read-only", action="store_true", help="place no order")
    args = vars(parser.parse_args())
    del args["command"]
    code: int = args.pop("run")(**args)
    return code


if __name__ == "__main__":
    main_guard(main)
