"""`python -m policies`: check plain manifests, list the rules, write the documentation."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from policies.kit import docs, report
from policies.kit.config import BadConfig, environments, load
from policies.kit.manifests import Unreadable, read
from policies.rules import FAMILIES, RULES


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m policies", description="Rules for Kubernetes objects.")
    actions = parser.add_subparsers(dest="command", required=True)
    check = actions.add_parser("check", help="check manifests; exit 1 when a mandatory rule fails, 2 when unreadable")
    check.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="manifest, or folder of manifests")
    known = ", ".join(environments())
    check.add_argument("--environment", metavar="NAME", help=f"thresholds: {known} (default: those of the rules)")
    check.add_argument("--json", action="store_true", help="print the results as JSON")
    check.set_defaults(run=_check)
    actions.add_parser("rules", help="list the rules").set_defaults(run=_rules)
    actions.add_parser("docs", help=f"write docs/{docs.PAGE.name}").set_defaults(run=_docs)
    args = parser.parse_args(arguments)
    try:
        code: int = args.run(args)
    except (BadConfig, Unreadable) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return code


def _check(args: argparse.Namespace) -> int:
    config = load(args.environment, RULES)
    made = report.check(read(args.paths), RULES, config, datetime.now(UTC).date())
    if args.json:
        _say(json.dumps(report.as_json(made, args.environment), indent=2))
    else:
        _say(report.as_text(made))
    return 1 if made.failed else 0


def _rules(_: argparse.Namespace) -> int:
    for rule in RULES.values():
        _say(f"{rule.id:24} {rule.severity:8} {rule.enforcement:9} {rule.title}")
    return 0


def _docs(_: argparse.Namespace) -> int:
    docs.PAGE.write_text(docs.page({**FAMILIES, "Exceptions": (RULES["waivers"],)}))
    _say(str(docs.PAGE))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
