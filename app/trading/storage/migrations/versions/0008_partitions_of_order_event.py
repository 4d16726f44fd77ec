"""The events of orders in partitions by the day of their order, and trades once for ever."""

from trading.storage.revision import run

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
