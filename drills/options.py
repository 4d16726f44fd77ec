"""The arguments that drills have in common."""

import argparse


def parser(prog: str, text: str | None) -> argparse.ArgumentParser:
    """A parser with the stack and its confirmation; `text` is the module's, of which the first paragraph is shown."""
    made = argparse.ArgumentParser(prog=prog, description=(text or "").split("\n\n")[0])
    made.add_argument("--stack", default="local", help="whose platform (default: local)")
    made.add_argument("--confirm", default="", metavar="STACK", help="the name of a protected stack, once more")
    return made


def counting(prog: str, text: str | None, *, of: str = "how many of each class") -> argparse.ArgumentParser:
    """The same with a number of faults, 1 or more."""
    made = parser(prog, text)
    made.add_argument("--faults", type=_count, default=1, metavar="N", help=f"{of} (default: 1)")
    return made


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be 1 or more")
    return int(text)
