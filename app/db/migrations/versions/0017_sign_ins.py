"""sign-ins at banks that take no order without one, and until when only such a one tells of a payment

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("bank_id", sa.String(length=60), nullable=False),
        sa.Column("trip_id", sa.String(length=40), nullable=False),
        sa.Column("invoice_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_sign_in_customer_id")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_sign_in_invoice_id")),
        sa.ForeignKeyConstraint(["trip_id"], ["trip.id"], name=op.f("fk_sign_in_trip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
        sa.UniqueConstraint("trip_id", name=op.f("uq_sign_in_trip_id")),
    )
    op.create_index(op.f("ix_sign_in_customer_id"), "sign_in", ["customer_id"])
    op.create_index(op.f("ix_sign_in_expires_at"), "sign_in", ["expires_at"])
    op.add_column("payment", sa.Column("told_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Whoever looks next promises anew: the older program expects a promise of every unknown outcome, and of no other
    that nobody can be asked about it."""
    op.execute(
        "UPDATE payment SET know_by = updated_at WHERE state = 'unknown' AND untold_since IS NULL AND know_by IS NULL"
    )
    op.execute("UPDATE payment SET untold_since = NULL WHERE state = 'accepted'")
    op.drop_column("payment", "told_until")
    op.drop_index(op.f("ix_sign_in_expires_at"), table_name="sign_in")
    op.drop_index(op.f("ix_sign_in_customer_id"), table_name="sign_in")
    op.drop_table("sign_in")
