"""`python -m toolchain.render STACK`: one YAML file an object, without a cluster."""

import argparse
from pathlib import Path

from components.kit.errors import InvalidArgs
from toolchain.kit.console import ToolError, main_guard
from toolchain.kit.paths import LOCAL
from toolchain.render.render import SNAPSHOTS, files, snapshot, write
from toolchain.render.stackfile import stacks


def main() -> None:
    """Render one stack, or renew the snapshots of all."""
    parser = argparse.ArgumentParser(prog="python -m toolchain.render", description=__doc__)
    parser.add_argument("stack", nargs="?", metavar="STACK", help=f"one of {', '.join(stacks())}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: .local/render/STACK)")
    parser.add_argument("--update-snapshots", action="store_true", help="renew tests/snapshots of every stack")
    args = parser.parse_args()
    if not args.update_snapshots and args.stack is None:
        parser.error("name a STACK, or give --update-snapshots")
    try:
        if args.update_snapshots:
            for stack in stacks():
                write(snapshot(stack), SNAPSHOTS / stack, clear=True)
                print(SNAPSHOTS / stack)
        if args.stack is not None:
            out = args.out or LOCAL / "render" / args.stack
            # a folder that the user names may hold other things
            write(files(args.stack), out, clear=args.out is None)
            print(out)
    except InvalidArgs as error:
        raise ToolError(f"the configuration of stack {args.stack or 'STACK'} is refused:\n{error}") from None


if __name__ == "__main__":
    main_guard(main)
