"""what a customer confirms of the doubts about a bill that they added; their own bills are found at once

A check of before names no doubts: the words that it confirmed (``own-bill-1``) spoke of none.

Revision: 0022, after 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

OWN = sa.text("own_bill_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("payee_check", sa.Column("doubts", sa.JSON(), nullable=False, server_default="[]"))
    op.create_index("ix_invoice_own", "invoice", ["customer_id"], postgresql_where=OWN, sqlite_where=OWN)


def downgrade() -> None:
    op.drop_index("ix_invoice_own", table_name="invoice")
    with op.batch_alter_table("payee_check") as batch:
        batch.drop_column("doubts")
