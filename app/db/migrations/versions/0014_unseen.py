"""when a bill was opened, and that its biller was told that it was not

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

NOT_SEEN = sa.text("seen_at IS NULL AND unseen_at IS NULL")


def upgrade() -> None:
    op.add_column("invoice", sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("invoice", sa.Column("unseen_at", sa.DateTime(timezone=True), nullable=True))
    # of what was delivered before, nobody knows whether it was opened: no biller is told anything about it
    op.execute("UPDATE invoice SET seen_at = received_at")
    op.create_index(
        op.f("ix_invoice_unseen"), "invoice", ["received_at"], postgresql_where=NOT_SEEN, sqlite_where=NOT_SEEN
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_invoice_unseen"), table_name="invoice")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_column("unseen_at")
        batch.drop_column("seen_at")
