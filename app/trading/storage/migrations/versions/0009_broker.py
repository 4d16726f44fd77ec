"""To which broker orders go, and the exchange's tag of each strategy."""

from trading.storage.revision import run

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
