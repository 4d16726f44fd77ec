"""The Pulumi program: read the stack's configuration, declare the platform."""

import pulumi

from components.kit.errors import InvalidArgs
from stacks.config import load
from stacks.platform import deploy


def main() -> None:
    """Refuse a wrong configuration with one line a problem and without a traceback, before anything is declared."""
    try:
        deploy(*load())
    except InvalidArgs as error:
        raise pulumi.RunError(f"the configuration of stack {pulumi.get_stack()} is refused:\n{error}") from None


main()
