"""plans: on which days, and how much at a time, customers mean to pay their bills

Revision: 0039, after 0038
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STANDING = sa.text("state = 'standing'")
TO_LOOK_AT = sa.text("look_at IS NOT NULL")
NEW = ("plan_due", "plan_missed")
CHOICES = (
    "new_bill",
    "bill_held",
    "bill_reply",
    *NEW,
    "payment_settled",
    "payment_failed",
    "payment_reversed",
    "account_frozen",
    "consent_set_up",
    "consent_ending",
    "consent_stopped",
    "consent_account",
    "consent_ended",
    "consent_not_taken",
)
#: which nobody chooses
OWN = ("words_changed", "address_asked", "all_stopped", "stop_lifted", "passkey_added", "passkey_removed")


def upgrade() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("invoice_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=True),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("left_minor", WHOLE, nullable=False),
        sa.Column("paid_minor", WHOLE, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("sequence", WHOLE, nullable=False),
        sa.CheckConstraint(
            "state IN ('standing', 'kept', 'missed', 'withdrawn', 'lapsed')", name=op.f("ck_plan_state_known")
        ),
        sa.CheckConstraint("(state = 'standing') = (ended_at IS NULL)", name=op.f("ck_plan_ended_has_its_moment")),
        sa.CheckConstraint("left_minor > 0", name=op.f("ck_plan_something_was_left")),
        sa.CheckConstraint("paid_minor >= 0", name=op.f("ck_plan_paid_not_negative")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_plan_invoice_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_plan_customer_id")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_plan_biller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
    )
    op.create_index(op.f("ix_plan_invoice_id"), "plan", ["invoice_id"])
    op.create_index(
        "uq_plan_standing", "plan", ["invoice_id"], unique=True, postgresql_where=STANDING, sqlite_where=STANDING
    )
    op.create_table(
        "plan_day",
        sa.Column("plan_id", sa.String(40), nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("pay_on", sa.Date(), nullable=False),
        sa.Column("minor", WHOLE, nullable=True),
        sa.Column("state", sa.String(7), nullable=False),
        sa.Column("look_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'asked', 'kept', 'missed')", name=op.f("ck_plan_day_state_known")),
        sa.CheckConstraint("minor > 0", name=op.f("ck_plan_day_amount_positive")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_day_plan_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "number", name=op.f("pk_plan_day")),
    )
    op.create_index(
        "ix_plan_day_look_at", "plan_day", ["look_at"], postgresql_where=TO_LOOK_AT, sqlite_where=TO_LOOK_AT
    )
    _kinds("notice_choice", CHOICES)
    _kinds("notice", (*CHOICES, *OWN))


def downgrade() -> None:
    gone = ", ".join(f"'{kind}'" for kind in NEW)
    op.execute(
        "DELETE FROM work WHERE key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind IN ({gone}))"
    )
    op.execute(  # which no program of before has a handler for
        "DELETE FROM work WHERE handler IN ('plans.follow_payment', 'plans.follow_correction', 'plans.follow_answer',"
        " 'notices.tell_plan_due', 'notices.tell_plan_missed', 'webhooks.tell_plan_changed')"
    )
    before = tuple(kind for kind in CHOICES if kind not in NEW)
    for table, known in (("notice_choice", before), ("notice", (*before, *OWN))):
        op.execute(f"DELETE FROM {table} WHERE kind IN ({gone})")  # noqa: S608  # nosec B608  # our own names
        _kinds(table, known)
    op.drop_table("plan_day")
    op.drop_table("plan")


def _kinds(table: str, kinds: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_kind_known")
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
