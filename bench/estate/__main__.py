"""A Pulumi program for `bench.preview`: the platform of a stack twice, in two namespaces, as a larger shape."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # Pulumi starts a program with its own folder alone

from stacks.config import load
from stacks.platform import deploy


def main() -> None:
    """Declare both."""
    config, secrets = load()
    deploy(config, secrets)
    deploy(config.model_copy(update={"namespace": f"{config.namespace}-second"}), secrets, prefix="second-")


main()
