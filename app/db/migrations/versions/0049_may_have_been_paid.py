"""may have been paid: only a payment that others than we could have made happen has the rest of its bill paid in one

Until now any that was closed did; so it stays for the bills of before.

Revision: 0049, after 0048
"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoice", sa.Column("may_have_been_paid", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        "UPDATE invoice SET may_have_been_paid = true"
        " WHERE id IN (SELECT invoice_id FROM ledger_entry WHERE kind = 'released')"
        " OR id IN (SELECT p.invoice_id FROM payment p JOIN payment_history h ON h.payment_id = p.id"
        " WHERE h.after IN ('rejected', 'cancelled', 'expired'))"
    )


def downgrade() -> None:
    with op.batch_alter_table("invoice") as batch:
        batch.drop_column("may_have_been_paid")
