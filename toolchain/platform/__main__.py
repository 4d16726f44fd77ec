"""Command line: python -m toolchain.platform COMMAND, as `make` calls it; --help lists the commands."""

import argparse

from toolchain.kit.console import main_guard
from toolchain.platform import commands
from toolchain.platform.backups import backup, backups
from toolchain.platform.checklist import secrets_check
from toolchain.platform.restore import restore
from toolchain.platform.smoke import smoke


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="toolchain.platform", description="The platform as a whole.")
    actions = parser.add_subparsers(dest="command", required=True)
    added = {}
    own = (commands.up, commands.cluster, commands.tools, commands.status, commands.down)
    for run in (*own, secrets_check, smoke, backup, backups, restore):
        name = run.__name__.replace("_", "-")
        added[name] = action = actions.add_parser(name, help=(run.__doc__ or "").splitlines()[0])
        action.add_argument("--stack", default="local", help="local, staging or prod (default: local)")
        action.set_defaults(run=run)
    added["secrets-check"].add_argument("--json", dest="as_json", action="store_true", help="for programs")
    added["smoke"].add_argument("--api", default="", metavar="URL", help="where the API is (default: a port-forward)")
    added["smoke"].add_argument("--read-only", action="store_true", help="place no order")
    added["backup"].add_argument("--kind", choices=("full", "diff"), default="full", help="default: full")
    added["backups"].add_argument("--json", dest="as_json", action="store_true", help="for programs")
    added["restore"].add_argument("--to", default="", metavar="MOMENT", help="ISO 8601 (default: all there is)")
    added["restore"].add_argument("--confirm", default="", metavar="STACK", help="its name, so nobody is asked")
    args = vars(parser.parse_args())
    del args["command"]
    code: int = args.pop("run")(**args)
    return code


if __name__ == "__main__":
    main_guard(main)
