"""The command `trading`."""

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Sequence

from trading.backtest import options as backtest
from trading.domain.errors import TradingError
from trading.risk.killswitch import TradingState
from trading.rotation import options as rotation
from trading.security.credentials import MountedCredential
from trading.security.principal import Role
from trading.services import people
from trading.services.logs import configure
from trading.services.run import ROLES
from trading.services.state import state
from trading.settings import from_environment
from trading.storage.connection import logins

log = logging.getLogger(__name__)
NAME = re.compile("[a-z0-9][a-z0-9-]{0,39}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; an error that a person can act on is one line on stderr and exit 1."""
    args = _parser().parse_args(argv)
    try:
        if args.command == "openapi":
            _openapi()
        elif args.command == "migrate":
            _migrate(args.wait_s)
        elif args.command == "user":
            _user(args)
        elif args.command == "audit":
            sys.stdout.write(f"{people.check_audit(from_environment(os.environ))}\n")
        elif args.command == "state":
            found = state(from_environment(os.environ), args.to, args.reason, args.actor)
            sys.stdout.write(f"{found}\n")
        elif args.command == "backtest":
            _backtest(args)
        elif args.command == "rotate":
            _rotate(args)
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
    _add_user(commands.add_parser("user", help="add, list, or change who may log in to the API"))
    commands.add_parser("audit", help="prove that no entry of the audit of access was altered; exit 1 if one was")
    backtest.add(commands)
    rotation.add(commands)
    commands.add_parser("openapi", help="print the API's OpenAPI document")
    return parser


def _add_user(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="everybody, with role and accounts")
    add = actions.add_parser("add", help="add somebody; the password is the first line of stdin; safe to repeat")
    password = actions.add_parser("password", help="give somebody a new password, from stdin; their sessions end")
    for action in (add, password):
        action.add_argument("name", type=_name)
        action.add_argument("--actor", default="operator", help="who does it, for the audit (default: operator)")
    add.add_argument("--role", type=Role, choices=list(Role), required=True)
    add.add_argument(
        "--accounts", type=_accounts, metavar="A,B", help="in which they may look and trade (default: all)"
    )


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text}: must be 1 to 40 of a-z, 0-9 and -, and not begin with -")
    return text


def _accounts(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def _user(args: argparse.Namespace) -> None:
    settings = from_environment(os.environ)
    if args.action == "list":
        for found in people.listed(settings):
            accounts = "all" if found.accounts is None else ",".join(sorted(found.accounts))
            sys.stdout.write(f"{found.name} {found.role} {accounts}{' disabled' * found.disabled}\n")
        return
    password = people.read_password()
    if args.action == "add":
        done = people.add(settings, args.name, args.role, args.accounts, password, args.actor)
    else:
        done = people.set_password(settings, args.name, password, args.actor)
    sys.stdout.write(f"{done}\n")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: must be HOST:PORT, such as 127.0.0.1:8080")
    return host, int(port)


def _migrate(wait_s: float) -> None:
    from trading.storage.migrate import migrate  # loads Alembic, which no role needs

    settings = from_environment(os.environ)
    configure("migrate", settings.log_level)
    credential = MountedCredential(settings.credentials_dir, "postgres-app")
    applied = migrate(logins(settings, credential, "trading-migrate"), wait_s=wait_s)
    log.info("schema is current", extra={"applied": applied})


def _backtest(args: argparse.Namespace) -> None:
    from trading.backtest.command import execute  # 40 MB of memory that no role needs

    execute(args)


def _rotate(args: argparse.Namespace) -> None:
    from trading.rotation.command import execute  # needs trading[rotation], which the image does not have

    execute(args)


def _openapi() -> None:
    from trading.api.app import create_app

    json.dump(create_app(None).spec, sys.stdout, indent=2)
    sys.stdout.write("\n")
