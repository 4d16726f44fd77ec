"""What the risk check of an order looks at does not grow with the account's history."""

from trading.storage.revision import run

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
