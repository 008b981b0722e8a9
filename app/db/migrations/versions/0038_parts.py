"""parts: a bill may be paid by several payments, one after the other

Revision: 0038, after 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("invoice") as batch:
        # for a moment with a default, for the rows that are there: a process of before parts is refused afterwards
        batch.add_column(sa.Column("paid_minor", WHOLE, server_default="0", nullable=False))
        batch.add_column(sa.Column("is_amount_fixed", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.create_check_constraint(op.f("ck_invoice_paid_not_negative"), "paid_minor >= 0")
    op.execute(
        "UPDATE invoice SET paid_minor = COALESCE((SELECT -sum(e.amount_minor) FROM ledger_entry e"
        " JOIN payment p ON p.id = e.payment_id AND p.state = 'settled' WHERE e.invoice_id = invoice.id"
        " AND e.account IN ('due:' || invoice.id, 'owed:' || invoice.id)), 0) WHERE state = 'paid'"
    )
    # requests to pay of before say no more whether their amount is fixed: such a one is paid in one, as it was
    op.execute("UPDATE invoice SET is_amount_fixed = true WHERE expires_on IS NOT NULL")
    with op.batch_alter_table("invoice") as batch:
        batch.alter_column("paid_minor", server_default=None)
    op.add_column("sign_in", sa.Column("part", sa.String(20), nullable=True))
    with op.batch_alter_table("decision") as batch:
        batch.add_column(sa.Column("paid_minor", WHOLE, server_default="0", nullable=False))
        batch.add_column(sa.Column("parts_paid", sa.JSON(), server_default="[]", nullable=False))
        batch.add_column(sa.Column("rest_minor", WHOLE, server_default="0", nullable=False))
        batch.create_check_constraint(op.f("ck_decision_paid_not_negative"), "paid_minor >= 0")
        batch.create_check_constraint(op.f("ck_decision_rest_not_negative"), "rest_minor >= 0")
        batch.create_check_constraint(
            op.f("ck_decision_discount_of_the_whole"), "discount_minor = 0 OR (rest_minor = 0 AND paid_minor = 0)"
        )
    with op.batch_alter_table("decision") as batch:
        batch.alter_column("paid_minor", server_default=None)


def downgrade() -> None:
    parts = op.get_bind().execute(sa.text("SELECT count(*) FROM decision WHERE rest_minor > 0")).scalar()
    if parts:
        raise NotImplementedError("bills were paid in parts, which the version of before does not know")
    op.drop_column("sign_in", "part")
    with op.batch_alter_table("decision") as batch:
        for name in ("discount_of_the_whole", "rest_not_negative", "paid_not_negative"):
            batch.drop_constraint(op.f(f"ck_decision_{name}"), type_="check")
        for column in ("rest_minor", "parts_paid", "paid_minor"):
            batch.drop_column(column)
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("ck_invoice_paid_not_negative"), type_="check")
        batch.drop_column("is_amount_fixed")
        batch.drop_column("paid_minor")
