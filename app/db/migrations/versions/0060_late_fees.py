"""late fees: a bill may name a fixed amount that being late costs, and the first day with it

Revision: 0060, after 0059

It is in no amount that is asked or paid. Bills of before name none: what they said of it was not read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("late_fee_minor", WHOLE, server_default="0", nullable=False))
        batch.add_column(sa.Column("late_fee_from", sa.Date(), nullable=True))
        batch.create_check_constraint(op.f("ck_invoice_late_fee_not_below_zero"), "late_fee_minor >= 0")
        batch.create_check_constraint(
            op.f("ck_invoice_late_fee_has_its_day"), "(late_fee_minor = 0) = (late_fee_from IS NULL)"
        )
        batch.create_check_constraint(op.f("ck_invoice_late_fee_after_its_day"), "late_fee_from > due_on")


def downgrade() -> None:
    named = op.get_bind().execute(sa.text("SELECT count(*) FROM invoice WHERE late_fee_minor > 0")).scalar()
    if named:
        raise NotImplementedError("bills name late fees, which are in the log, and the version of before knows none")
    with op.batch_alter_table("invoice") as batch:
        for name in ("after_its_day", "has_its_day", "not_below_zero"):
            batch.drop_constraint(op.f(f"ck_invoice_late_fee_{name}"), type_="check")
        batch.drop_column("late_fee_from")
        batch.drop_column("late_fee_minor")
