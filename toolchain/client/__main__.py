"""Command line: python -m toolchain.client [--output DIR]."""

import argparse
from pathlib import Path

from toolchain.client import OUTPUT, generate
from toolchain.kit.console import main_guard


def main() -> None:
    """Generate the client and say where it is."""
    parser = argparse.ArgumentParser(prog="toolchain.client", description="Generate a Python client of the API.")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="its folder, replaced (default: .local/client)")
    print(generate(parser.parse_args().output))


if __name__ == "__main__":
    main_guard(main)
