"""own order: a bill's place in its customer's own order of what is to be paid

Beside the bills: whoever orders them locks none.

Revision: 0051, after 0050
"""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_order",
        sa.Column("invoice_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("rank", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_own_order_invoice_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_own_order_customer_id")),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_own_order")),
    )
    op.create_index(op.f("ix_own_order_customer_id"), "own_order", ["customer_id"])


def downgrade() -> None:
    op.drop_table("own_order")
