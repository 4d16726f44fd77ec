"""Command line: python -m toolchain.checks workflows|manifests|packages|secrets|sbom|images|security [--stack NAME]."""

import argparse
from collections.abc import Callable, Mapping
from functools import partial

from toolchain.checks import bill, manifests, packages, secrets, workflows
from toolchain.kit.console import NotAsked, ToolError, main_guard, say
from toolchain.render.stackfile import stacks


def main() -> None:
    """Run one check, or those of `make security`."""
    parser = argparse.ArgumentParser(prog="toolchain.checks", description="Checks by other people's pinned tools.")
    actions = parser.add_subparsers(dest="command", required=True)
    actions.add_parser("workflows", help="actionlint, zizmor and shellcheck over workflows and scripts")
    actions.add_parser("packages", help="pip-audit over every lock; exit 3 when it could not be asked")
    actions.add_parser("secrets", help="gitleaks over the tree and its history")
    actions.add_parser("sbom", help="write CycloneDX bills of packages and images to .local/sbom/")
    actions.add_parser("images", help="grype over the images' bills; exit 3 when its database could not be had")
    scan = actions.add_parser("manifests", help="checkov or kube-score over the manifests of a stack")
    scan.add_argument("--tool", required=True, choices=manifests.TOOLS)
    for each in (scan, actions.add_parser("security", help="secrets, packages, checkov and kube-score, all of them")):
        each.add_argument("--stack", default="prod", choices=stacks(), help="whose manifests (default: prod)")
    args = parser.parse_args()
    if args.command == "workflows":
        print(workflows.check())
    elif args.command == "packages":
        print(packages.check())
    elif args.command == "secrets":
        print(secrets.check())
    elif args.command == "manifests":
        print(manifests.check(args.stack, args.tool))
    elif args.command == "sbom":
        print("\n".join(map(str, bill.write())))
    elif args.command == "images":
        print(bill.scan())
    else:
        of_manifests = {tool: partial(manifests.check, args.stack, tool) for tool in manifests.TOOLS}
        run_all({"secrets": secrets.check, "packages": packages.check, **of_manifests})


def run_all(checks: Mapping[str, Callable[[], str]]) -> None:
    """Run all of them, also after one that failed.

    Raises:
        ToolError: naming those that found something.
        NotAsked: nothing was found, but not everybody could be asked.
    """
    failed, open_ = [], []
    for name, check in checks.items():
        try:
            print(check(), flush=True)
        except NotAsked as error:
            say(f"error: {error}")
            open_.append(name)
        except ToolError as error:
            say(f"error: {error}")
            failed.append(name)
    if failed:
        raise ToolError(f"found something: {', '.join(failed)}; could not be asked: {', '.join(open_) or 'none'}")
    if open_:
        raise NotAsked(f"could not be asked: {', '.join(open_)}; the others found nothing")


if __name__ == "__main__":
    main_guard(main)
