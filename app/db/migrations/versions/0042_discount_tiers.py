"""discount tiers: a bill may have several discounts for early payment, and a decision says which it took

Revision: 0042, after 0041

The first one stays where it is, with the checks of the database; those after it are a list in the same row, which is
locked, logged and read with it. Rows of before have one at the most, and keep it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("later_discounts", sa.JSON(), server_default="[]", nullable=False))
        batch.create_check_constraint(
            op.f("ck_invoice_later_discounts_follow_one"),
            "discount_until IS NOT NULL OR CAST(later_discounts AS TEXT) = '[]'",
        )
    op.add_column("decision", sa.Column("discount_until", sa.Date(), nullable=True))
    op.execute(
        "UPDATE decision SET discount_until = (SELECT i.discount_until FROM invoice i WHERE i.id = decision.invoice_id)"
        " WHERE discount_minor > 0"
    )
    with op.batch_alter_table("decision") as batch:
        # a process of before, which does not say which discount it takes, is refused
        batch.create_check_constraint(
            op.f("ck_decision_discount_has_its_day"), "(discount_minor = 0) = (discount_until IS NULL)"
        )


def downgrade() -> None:
    several = (
        op.get_bind()
        .execute(sa.text("SELECT count(*) FROM invoice WHERE CAST(later_discounts AS TEXT) <> '[]'"))
        .scalar()
    )
    if several:
        raise NotImplementedError("bills have several discounts, of which the version of before knows one")
    with op.batch_alter_table("decision") as batch:
        batch.drop_constraint(op.f("ck_decision_discount_has_its_day"), type_="check")
        batch.drop_column("discount_until")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("ck_invoice_later_discounts_follow_one"), type_="check")
        batch.drop_column("later_discounts")
