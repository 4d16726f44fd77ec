"""What Alembic runs for a command: on the connection and in the transaction that it is given."""

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], on_version_apply=given["applied"])
context.run_migrations()
