"""Stop orders, modification and cancelling, charges, price bands, capital, and the kill switch."""

from trading.storage.revision import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
