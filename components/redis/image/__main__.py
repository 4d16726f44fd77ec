"""The command of the image: `redis-node member|sentinel|agent|handover`."""

import argparse
import logging
import os
import signal
import sys

from components.redis.image import agent, handover, member, sentinel
from components.redis.image.credentials import CredentialError
from components.redis.image.settings import SettingsError, from_environment

COMMANDS = {
    "member": (member.run, "find out the role of this data node, then become redis-server"),
    "sentinel": (sentinel.run, "find out whom to watch, then become a Sentinel"),
    "agent": (agent.serve, "keep the process of this pod in step with its credentials; serve /state, /ready, /live"),
    "handover": (handover.run, "give the master role away before a planned stop"),
}


def main() -> int:
    """Run one command; an error that a person can act on is one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="redis-node", description="Programs of a Redis or Sentinel pod.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, purpose) in COMMANDS.items():
        commands.add_parser(name, help=purpose, description=purpose)
    chosen = parser.parse_args().command
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
    # the first process of a container ignores signals that it has no handler for
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        COMMANDS[chosen][0](from_environment(os.environ))
    except (SettingsError, CredentialError, OSError) as error:
        logging.getLogger(chosen).error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
