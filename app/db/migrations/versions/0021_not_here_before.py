"""when a bill came into its customer's space, and which earlier bills a decision knew of that are not paid from here

Revision: 0021, after 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NOT_SEEN = sa.text("seen_at IS NULL AND unseen_at IS NULL")

INVOICE = sa.table("invoice", sa.column("id"), sa.column("replaces_id"), sa.column("means"))
DECISION = sa.table("decision", sa.column("id"), sa.column("invoice_id"), sa.column("earlier_not_here", sa.JSON))


def upgrade() -> None:
    op.add_column("invoice", sa.Column("opened_at", MOMENT, nullable=True))
    op.execute("UPDATE invoice SET opened_at = received_at")  # which of them had to wait nobody wrote down
    with op.batch_alter_table("invoice") as batch:
        batch.alter_column("opened_at", existing_type=MOMENT, nullable=False)
    _index_unseen_by("opened_at")
    op.add_column("decision", sa.Column("earlier_not_here", sa.JSON(), nullable=False, server_default="[]"))
    _fill_decisions()


def downgrade() -> None:
    op.drop_column("decision", "earlier_not_here")
    _index_unseen_by("received_at")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_column("opened_at")


def _index_unseen_by(column: str) -> None:
    op.drop_index(op.f("ix_invoice_unseen"), table_name="invoice")
    op.create_index(op.f("ix_invoice_unseen"), "invoice", [column], postgresql_where=NOT_SEEN, sqlite_where=NOT_SEEN)


def _fill_decisions() -> None:
    """What was decided before stays decided: no payment is stopped because of the upgrade."""
    connection = op.get_bind()
    versions = sa.select(INVOICE).where(INVOICE.c.replaces_id.is_not(None))
    replaces = {row.id: row.replaces_id for row in connection.execute(versions)}
    means = sa.select(INVOICE.c.id).where(INVOICE.c.means != "credit_transfer")
    not_here = set(connection.scalars(means)) & set(replaces.values())
    if not not_here:
        return
    of_versions = sa.select(DECISION.c.id, DECISION.c.invoice_id).join(INVOICE, INVOICE.c.id == DECISION.c.invoice_id)
    for decision in connection.execute(of_versions.where(INVOICE.c.replaces_id.is_not(None))).all():
        known, at = [], replaces.get(decision.invoice_id)
        while at is not None:
            known += [at] if at in not_here else []
            at = replaces.get(at)
        if known:
            of_this = sa.update(DECISION).where(DECISION.c.id == decision.id)
            connection.execute(of_this.values(earlier_not_here=known))
