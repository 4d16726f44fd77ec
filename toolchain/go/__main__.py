"""Command line: python -m toolchain.go build [--only NAME]... prints the folder of the programs."""

import argparse

from toolchain.go import ensure
from toolchain.go.programs import CHECKERS, PROGRAMS
from toolchain.kit.console import main_guard


def main() -> None:
    """Build what is missing and print where it is."""
    parser = argparse.ArgumentParser(
        prog="toolchain.go", description="Pulumi, Kubernetes and CoreDNS from pinned sources."
    )
    actions = parser.add_subparsers(dest="command", required=True)
    build = actions.add_parser("build", help="build what is not in the cache; prints the folder with the programs")
    names = [each.name for each in (*PROGRAMS, *CHECKERS)]
    build.add_argument(
        "--only",
        action="append",
        default=[],
        choices=names,
        help="this program only; may be repeated (default: those of make up)",
    )
    print(ensure(parser.parse_args().only))


if __name__ == "__main__":
    main_guard(main)
