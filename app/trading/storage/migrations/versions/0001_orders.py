"""Orders, their events, positions, market feeds, and who may write."""

from trading.storage.revision import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
