"""Strategies and what they said, bars, equity, and backtests."""

from trading.storage.revision import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
