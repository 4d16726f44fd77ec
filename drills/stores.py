"""What there is to break, each with its client, its classes of faults and its books."""

from drills import orders
from drills.faults import engine, postgres, redis
from drills.run import Books, Store
from drills.target import Target

CLIENTS_BESIDE = "app.kubernetes.io/name=trading,app.kubernetes.io/component=scheduler"
"""Where the clients of a soak stand: beside what nobody waits for."""


def postgres_books(target: Target) -> Books:
    """What the ledger's client left in PostgreSQL, which is then removed."""
    if target.psql("select to_regclass('ledger') is null") == [["t"]]:
        return Books([])
    found = [int(row[0]) for row in target.psql("select key from ledger")]
    target.psql("drop table ledger")
    return Books(found)


def redis_books(target: Target) -> Books:
    """What the ledger's client left in Redis, which is then removed."""
    master = target.master()
    found = [int(line) for line in target.redis_cli(master, "LRANGE", "ledger", "0", "-1").split()]
    target.redis_cli(master, "DEL", "ledger")
    return Books(found)


POSTGRES = Store("postgres", "postgres", postgres.FAULTS, postgres.settle, postgres_books)
REDIS = Store("redis", "redis", redis.FAULTS, redis.settle, redis_books)
ENGINE = Store(
    "engine",
    "orders",
    engine.FAULTS,
    orders.settle,
    orders.books,
    writes=15,
    resumed=orders.wait_for_trade,
    pause_s=orders.PAUSE_S,
)
STORES = {store.name: store for store in (POSTGRES, REDIS, ENGINE)}
