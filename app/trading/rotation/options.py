"""The arguments of `trading rotate`; apart from what they start, which no role of the engine needs."""

import argparse

from trading.rotation.kinds import WHAT

STATUS = "status"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    text = "rotate credentials of a stack without a refused request, from the folder of the project; safe to repeat"
    rotate = commands.add_parser("rotate", help=text, description=text)
    rotate.add_argument("what", metavar="WHAT", help=f"{', '.join(WHAT)}; or {STATUS}: how old each one is")
    rotate.add_argument("--stack", default="local", metavar="S", help="whose Pulumi.S.yaml (default: local)")
    rotate.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    way = rotate.add_mutually_exclusive_group()
    way.add_argument("--rollback", action="store_true", help="back to the password before, which is untouched")
    way.add_argument("--retire", action="store_true", help="two rotations in a row: no password of today stays good")
    rotate.add_argument("--within-s", type=float, default=300, metavar="N", help="pods may take so long (default 300)")
    rotate.add_argument("--metrics", action="store_true", help=f"with {STATUS}: in the text format of Prometheus")
    rotate.add_argument("--actor", default="", help="who does it, for the journal (default: user@host)")
