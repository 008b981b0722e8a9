"""bills at which somebody must look first; numbers that look the same are found

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "held_bill",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_as", sa.String(length=9), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ended_as IN ('released', 'discarded')", name=op.f("ck_held_bill_end_known")),
        sa.CheckConstraint("(ended_as IS NULL) = (ended_at IS NULL)", name=op.f("ck_held_bill_end_has_its_moment")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_held_bill_biller_id")),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.client_id"], name=op.f("fk_held_bill_client_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_held_bill_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_bill")),
        sa.UniqueConstraint("biller_id", "sha256", name=op.f("uq_held_bill_biller_id_sha256")),
    )
    op.create_index(op.f("ix_held_bill_customer_id"), "held_bill", ["customer_id"])
    op.add_column("delivered_bill", sa.Column("number_key", sa.String(length=100), nullable=True))
    # of what there is, upper and lower case are one; more is known of bills that come from now on
    op.execute("UPDATE delivered_bill SET number_key = lower(number)")
    op.create_index(op.f("ix_delivered_bill_biller_id_number_key"), "delivered_bill", ["biller_id", "number_key"])


def downgrade() -> None:
    """What is held is lost: the older program could not show it as what it is."""
    op.drop_index(op.f("ix_delivered_bill_biller_id_number_key"), table_name="delivered_bill")
    op.drop_column("delivered_bill", "number_key")
    op.drop_index(op.f("ix_held_bill_customer_id"), table_name="held_bill")
    op.drop_table("held_bill")
