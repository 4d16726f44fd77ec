"""Command line: python -m toolchain.plugins install --home DIR --bin DIR."""

import argparse
from pathlib import Path

from toolchain.go import ensure
from toolchain.kit.console import main_guard
from toolchain.kit.paths import LOCAL
from toolchain.plugins.install import install


def main() -> None:
    """Install the plugins; the programs that they go beside are built if they are missing."""
    parser = argparse.ArgumentParser(prog="toolchain.plugins", description="The Pulumi plugins of this project.")
    actions = parser.add_subparsers(dest="command", required=True)
    action = actions.add_parser("install", help="write the launchers; safe to repeat")
    action.add_argument("--home", type=Path, default=LOCAL / "pulumi-home", help="PULUMI_HOME (default: %(default)s)")
    action.add_argument("--bin", type=Path, default=LOCAL / "bin", help="a folder for PATH (default: %(default)s)")
    arguments = parser.parse_args()
    install(arguments.home.resolve(), arguments.bin.resolve(), ensure(["pulumi"]))
    print(f"export PATH={arguments.bin.resolve()}:$PATH PULUMI_HOME={arguments.home.resolve()}")


if __name__ == "__main__":
    main_guard(main)
