"""Alembic's entry. The connection is given by app/db/migrate.py; migrations import none of our models."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=True,
    compare_type=True,
    render_item=context.config.attributes.get("render_item"),
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
