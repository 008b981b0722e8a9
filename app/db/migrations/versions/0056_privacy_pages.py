"""privacy pages: whether a payment or a dispute was easy, as its customer answers once; and what an operator read of a
customer's, and why

Revision: 0056, after 0055
"""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "opinion",
        sa.Column("subject_id", sa.String(40), nullable=False),
        sa.Column("about", sa.String(7), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("word", sa.String(7), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("about IN ('payment', 'dispute')", name=op.f("ck_opinion_about_known")),
        sa.CheckConstraint("word IN ('yes', 'partly', 'no', 'skipped')", name=op.f("ck_opinion_word_known")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_opinion_biller_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_opinion_customer_id")),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_opinion")),
    )
    op.create_index(op.f("ix_opinion_biller_id_about_at"), "opinion", ["biller_id", "about", "at"])
    op.create_index(op.f("ix_opinion_customer_id"), "opinion", ["customer_id"])
    op.create_table(
        "operator_access",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("what", sa.String(9), nullable=False),
        sa.Column("subject_id", sa.String(40), nullable=False),
        sa.Column("because", sa.String(300), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("what IN ('held_bill', 'bill', 'payment')", name=op.f("ck_operator_access_what_known")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_operator_access_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_access")),
    )
    op.create_index(op.f("ix_operator_access_customer_id"), "operator_access", ["customer_id"])


def downgrade() -> None:
    op.drop_table("operator_access")
    op.drop_table("opinion")
