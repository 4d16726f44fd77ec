"""Command line: python -m toolchain.report preview|drift|join."""

import argparse
from pathlib import Path

from components.kit.errors import InvalidArgs
from toolchain.kit.console import main_guard, say
from toolchain.report import commands
from toolchain.report.model import Exit

EXITS = """exit codes:
  0  nothing stands in the way
  1  the preview failed: no cluster, a refused configuration, a protected object, ...
  2  the command line, the stack or waivers.yaml is wrong; nothing was run
  3  a stateful object would be replaced or deleted, and no waiver names it
  4  a mandatory policy is violated, or a policy could not run
  5  drift: the cluster differs from what was declared
Of several the lowest one counts."""


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m toolchain.report",
        description="What a change does, and what has drifted: to read and to gate on.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="command", required=True, metavar="preview|drift|join")
    preview = _action(actions, "preview", "what `up` would change, how risky it is, and which policies it breaks")
    preview.add_argument("--manifests", action="store_true", help="compare manifests, even when there is a cluster")
    preview.add_argument(
        "--base", metavar="REV", help="revision to compare manifests with (default: where main was left)"
    )
    preview.add_argument(
        "--policy-pack", metavar="DIR", type=Path, help="policy pack (default: policies/ of the project)"
    )
    preview.add_argument(
        "--no-policies", action="store_true", help="leave the policies out, as when they were run before"
    )
    preview.add_argument("--config-file", metavar="FILE", type=Path, help="another configuration of the stack")
    _action(actions, "drift", "what the cluster has against what the program declared, by object and field")
    join = actions.add_parser("join", help="one comment from the --json files of several stacks")
    join.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    join.add_argument("--markdown", metavar="FILE", type=Path, required=True, help="where the comment goes")
    args = parser.parse_args()
    try:
        return _run(args)
    except commands.UsageError as error:
        say(f"error: {error}")
        return Exit.USAGE
    except InvalidArgs as error:
        say(f"error: {error}")
        return Exit.USAGE


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(
        name, help=text, description=text, epilog=EXITS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    action.add_argument("--stack", default="local", help="local, staging or prod (default: local)")
    action.add_argument("--markdown", metavar="FILE", type=Path, help="also write a comment for a pull request")
    action.add_argument("--json", metavar="FILE", type=Path, help="also write the report for machines and for `join`")
    action.add_argument("--all", action="store_true", help="show every field on the terminal")
    return action


def _run(args: argparse.Namespace) -> int:
    if args.command == "join":
        return commands.join(args.reports, args.markdown)
    outputs = commands.Outputs(markdown=args.markdown, json=args.json, all_fields=args.all)
    if args.command == "drift":
        return commands.drift(args.stack, outputs)
    options = commands.Options(
        manifests=args.manifests,
        base=args.base,
        policy_pack=args.policy_pack,
        policies=not args.no_policies,
        config_file=args.config_file,
    )
    return commands.preview(args.stack, options, outputs)


if __name__ == "__main__":
    main_guard(main)
