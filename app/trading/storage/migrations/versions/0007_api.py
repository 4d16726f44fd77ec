"""Answers that are given again to a repeated request, and an order in which trades are listed."""

from trading.storage.revision import run

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
