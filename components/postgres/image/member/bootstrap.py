"""Patroni's `post_bootstrap`: roles, database and grants of a new cluster, before any standby needs them."""

import sys

from components.postgres.image.member import credentials, roles, server
from components.postgres.image.member.paths import Paths, load_cluster


def main() -> None:
    """Apply them over the socket; Patroni's own argument, a connection string, is not needed."""
    paths = Paths()
    cluster = load_cluster(paths)
    wanted = roles.logins(
        credentials.read(paths.credentials, credentials.APP),
        credentials.read(paths.credentials, credentials.REPLICATION),
    )
    with server.connect(paths.sockets, cluster.postgres_port) as connection:
        for change in roles.apply_roles(connection, wanted, cluster.database):
            print(f"bootstrap: {change}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log


if __name__ == "__main__":
    main()
