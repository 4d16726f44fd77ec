"""pgBackRest's server: beside a member it hands out data files, in front of a repository it takes in the log."""

import argparse
import os

from components.postgres.image.member import pgbackrest
from components.postgres.image.member.paths import Paths


def main() -> None:
    """Make certificates and secrets, then become the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="common name of the certificate")
    parser.add_argument("--host", required=True, help="DNS name at which others reach this server")
    parser.add_argument("--address", required=True, help="address to listen on")
    args = parser.parse_args()
    pgbackrest.prepare(Paths(), args.name, args.host)
    argv = ["pgbackrest", f"--tls-server-address={args.address}", "--log-level-console=warn", "server"]
    os.execvp(argv[0], argv)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main()
