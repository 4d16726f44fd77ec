"""The command `trading`."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence

from trading.domain.errors import TradingError
from trading.risk.killswitch import TradingState
from trading.security.credentials import MountedCredential
from trading.services.logs import configure
from trading.services.run import ROLES
from trading.services.state import state
from trading.settings import from_environment
from trading.storage.connection import logins
from trading.storage.migrate import migrate

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; an error that a person can act on is one line on stderr and exit 1."""
    args = _parser().parse_args(argv)
    try:
        if args.command == "openapi":
            _openapi()
        elif args.command == "migrate":
            _migrate(args.wait_s)
        elif args.command == "state":
            found = state(from_environment(os.environ), args.to, args.reason, args.actor)
            sys.stdout.write(f"{found}\n")
        else:
            ROLES[args.role](from_environment(os.environ), args.listen)
    except TradingError as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
    except OSError as error:
        sys.exit(f"error: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trading", description="The trading engine; settings come from TRADING_* environment variables."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run one role until SIGTERM")
    run.add_argument("role", choices=ROLES)
    everywhere = ("0.0.0.0", 8080)  # noqa: S104 - a pod is reached at its address
    run.add_argument("--listen", type=_address, default=everywhere, metavar="HOST:PORT", help="default: all, 8080")
    move = commands.add_parser("migrate", help="bring the database's schema to this version; safe to repeat")
    move.add_argument("--wait-s", type=float, default=0, metavar="N", help="wait for the database so long (default 0)")
    switch = commands.add_parser("state", help="show the kill switch's state, or change it; safe to repeat")
    switch.add_argument("--to", type=TradingState, choices=list(TradingState), help="the state to change to")
    switch.add_argument("--reason", default="", help="why; needed for a change, and kept")
    switch.add_argument("--actor", default="operator", help="who asks for the change (default: operator)")
    commands.add_parser("openapi", help="print the API's OpenAPI document")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: must be HOST:PORT, such as 127.0.0.1:8080")
    return host, int(port)


def _migrate(wait_s: float) -> None:
    settings = from_environment(os.environ)
    configure("migrate", settings.log_level)
    credential = MountedCredential(settings.credentials_dir, "postgres-app")
    applied = migrate(logins(settings, credential, "trading-migrate"), wait_s=wait_s)
    log.info("schema is current", extra={"applied": applied})


def _openapi() -> None:
    from trading.api.app import create_app

    json.dump(create_app(None).spec, sys.stdout, indent=2)
    sys.stdout.write("\n")
