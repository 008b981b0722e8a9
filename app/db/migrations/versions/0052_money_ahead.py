"""money ahead: what customers say of the money that they have, and of the money that comes

Revision: 0052, after 0051
"""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "outlook",
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("balance_minor", WHOLE, nullable=False),
        sa.Column("balance_on", sa.Date(), nullable=False),
        sa.Column("floor_minor", WHOLE, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_outlook_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_outlook")),
    )
    op.create_table(
        "payday",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("every", sa.String(length=9), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("every IN ('once', 'week', 'two_weeks', 'month')", name=op.f("ck_payday_every_known")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payday_amount_positive")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["outlook.customer_id"], name=op.f("fk_payday_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payday")),
    )
    op.create_index(op.f("ix_payday_customer_id"), "payday", ["customer_id"])


def downgrade() -> None:
    op.drop_table("payday")
    op.drop_table("outlook")
