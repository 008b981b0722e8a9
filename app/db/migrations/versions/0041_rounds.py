"""rounds: bills that a customer chose to pay one after the other

Revision: 0041, after 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paying_round",
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("invoice_ids", sa.JSON(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_paying_round_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_paying_round")),
    )
    op.create_index(op.f("ix_paying_round_begun_at"), "paying_round", ["begun_at"])


def downgrade() -> None:
    op.drop_table("paying_round")
