"""The order rate of the one client that the platform is at its broker."""

from trading.storage.revision import run

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
