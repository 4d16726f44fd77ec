"""What a revision of the schema does: it runs the SQL file of its name."""

from pathlib import Path

from alembic import op


def run(revision_file: str) -> None:
    """Run the SQL file that belongs to a revision, all its statements at once."""
    path = Path(revision_file)
    sql = path.parent.with_name(f"{path.stem}.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})  # a % in it is no placeholder
