"""what the official rules say of a bill

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conformance",
        sa.Column("bill_id", sa.String(40), nullable=False),
        sa.Column("rules", sa.String(length=80), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bill_id"], ["delivered_bill.id"], name=op.f("fk_conformance_bill_id")),
        sa.PrimaryKeyConstraint("bill_id", name=op.f("pk_conformance")),
    )


def downgrade() -> None:
    """The reports are lost; nothing hangs on them."""
    op.drop_table("conformance")
