"""instalments: a customer proposes to pay a bill in parts after its day, and what companies say yes to by themselves

Revision: 0046, after 0045
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BEFORE = "'paid_elsewhere', 'declined', 'disputed', 'more_time'"


def upgrade() -> None:
    with op.batch_alter_table("bill_answer") as batch:
        batch.add_column(sa.Column("instalments", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("paid_minor", WHOLE, nullable=True))
        batch.drop_constraint(op.f("ck_bill_answer_kind_known"), type_="check")
        batch.drop_constraint(op.f("ck_bill_answer_until_of_more_time"), type_="check")
        batch.create_check_constraint(op.f("ck_bill_answer_kind_known"), f"kind IN ({BEFORE}, 'instalments')")
        batch.create_check_constraint(
            op.f("ck_bill_answer_until_of_a_later_day"), "(until IS NOT NULL) = (kind IN ('more_time', 'instalments'))"
        )
        batch.create_check_constraint(
            op.f("ck_bill_answer_instalments_have_their_days"), "(instalments IS NOT NULL) = (kind = 'instalments')"
        )
        batch.create_check_constraint(
            op.f("ck_bill_answer_paid_before_instalments"), "(paid_minor IS NOT NULL) = (kind = 'instalments')"
        )
        batch.create_check_constraint(op.f("ck_bill_answer_paid_not_negative"), "paid_minor >= 0")
    with op.batch_alter_table("answer_policy") as batch:
        batch.add_column(sa.Column("instalments_most", WHOLE, server_default="0", nullable=False))
        batch.add_column(sa.Column("instalments_days", WHOLE, server_default="0", nullable=False))
        batch.create_check_constraint(op.f("ck_answer_policy_instalments_bounded"), "instalments_most BETWEEN 0 AND 12")
        batch.create_check_constraint(
            op.f("ck_answer_policy_instalments_within_a_year"), "instalments_days BETWEEN 0 AND 365"
        )
    with op.batch_alter_table("plan") as batch:
        batch.add_column(sa.Column("answer_id", sa.String(40), nullable=True))
        batch.create_foreign_key(op.f("fk_plan_answer_id"), "bill_answer", ["answer_id"], ["id"], ondelete="CASCADE")
        batch.create_unique_constraint(op.f("uq_plan_answer_id"), ["answer_id"])


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM bill_answer WHERE kind = 'instalments'")).scalar():
        raise NotImplementedError("instalments were proposed, which the version of before does not know")
    with op.batch_alter_table("plan") as batch:
        batch.drop_constraint(op.f("uq_plan_answer_id"), type_="unique")
        batch.drop_constraint(op.f("fk_plan_answer_id"), type_="foreignkey")
        batch.drop_column("answer_id")
    with op.batch_alter_table("answer_policy") as batch:
        for name in ("instalments_within_a_year", "instalments_bounded"):
            batch.drop_constraint(op.f(f"ck_answer_policy_{name}"), type_="check")
        batch.drop_column("instalments_days")
        batch.drop_column("instalments_most")
    with op.batch_alter_table("bill_answer") as batch:
        for name in (
            "paid_not_negative",
            "paid_before_instalments",
            "instalments_have_their_days",
            "until_of_a_later_day",
            "kind_known",
        ):
            batch.drop_constraint(op.f(f"ck_bill_answer_{name}"), type_="check")
        batch.create_check_constraint(op.f("ck_bill_answer_kind_known"), f"kind IN ({BEFORE})")
        batch.create_check_constraint(
            op.f("ck_bill_answer_until_of_more_time"), "(until IS NOT NULL) = (kind = 'more_time')"
        )
        batch.drop_column("paid_minor")
        batch.drop_column("instalments")
