"""The policy pack: the engine runs this file, and `python -m policies` is its command line."""

import sys
from pathlib import Path


def main() -> int:
    """Serve the rules to the engine until it ends; by hand, run one command."""
    if __package__:
        from policies.kit.cli import main as command

        return command()
    # the engine runs the file by its path, so that nothing of the checkout can be imported yet
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    from pulumi_policy import PolicyPack

    from policies.kit.engine import policies
    from policies.rules import RULES

    PolicyPack("trading-policies", policies(RULES.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
