"""Alembic's entry point. The caller brings the connection (riskee.storage.migrations), so no address is kept here."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
