"""What the roles note down for themselves."""

from trading.storage.revision import run

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
