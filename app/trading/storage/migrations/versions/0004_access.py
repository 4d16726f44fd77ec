"""Who may use the API, from where, and a chained record of every change."""

from trading.storage.revision import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    run(__file__)
