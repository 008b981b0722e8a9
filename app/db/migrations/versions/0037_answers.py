"""answers: what customers say of bills instead of paying them, and what companies publish about that

A process of before pays a bill that its customer has declined, and ends no answer when it is paid. Stop every old
process, migrate, start the new ones.

Revision: 0037, after 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state = 'open'")
NOT_NOTICED = sa.text("state = 'open' AND overdue_at IS NULL")
NEW = "bill_reply"
CHOICES = (
    "new_bill",
    "bill_held",
    NEW,
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
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("extended_to", sa.Date(), nullable=True))
        batch.add_column(sa.Column("is_set_aside", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.create_check_constraint(
            op.f("ck_invoice_extended_beyond_its_day"), "extended_to IS NULL OR extended_to > due_on"
        )
    op.create_table(
        "answer_policy",
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("more_time_days", WHOLE, nullable=False),
        sa.Column("answer_days", WHOLE, nullable=False),
        sa.Column("published_at", MOMENT, nullable=False),
        sa.CheckConstraint("more_time_days BETWEEN 0 AND 365", name=op.f("ck_answer_policy_more_time_within_a_year")),
        sa.CheckConstraint("answer_days BETWEEN 1 AND 60", name=op.f("ck_answer_policy_answer_days_bounded")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_answer_policy_biller_id")),
        sa.PrimaryKeyConstraint("biller_id", name=op.f("pk_answer_policy")),
    )
    op.create_table(
        "bill_answer",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("invoice_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=True),
        sa.Column("kind", sa.String(14), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("reason", sa.String(14), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("reply_by", sa.Date(), nullable=True),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.Column("overdue_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by", sa.String(10), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('paid_elsewhere', 'declined', 'disputed', 'more_time')", name=op.f("ck_bill_answer_kind_known")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'withdrawn', 'accepted', 'refused', 'lapsed')", name=op.f("ck_bill_answer_state_known")
        ),
        sa.CheckConstraint(
            "reason IS NULL OR reason IN ('not_ordered', 'not_mine', 'cancelled', 'not_received', 'not_as_agreed',"
            " 'wrong_amount', 'twice', 'other')",
            name=op.f("ck_bill_answer_reason_known"),
        ),
        sa.CheckConstraint(
            "(reason IS NOT NULL) = (kind IN ('declined', 'disputed'))", name=op.f("ck_bill_answer_reason_where_asked")
        ),
        sa.CheckConstraint(
            "(until IS NOT NULL) = (kind = 'more_time')", name=op.f("ck_bill_answer_until_of_more_time")
        ),
        sa.CheckConstraint(
            "paid_on IS NULL OR kind = 'paid_elsewhere'", name=op.f("ck_bill_answer_paid_on_of_paid_elsewhere")
        ),
        sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name=op.f("ck_bill_answer_ended_has_its_moment")),
        sa.CheckConstraint("(state = 'open') = (ended_by IS NULL)", name=op.f("ck_bill_answer_ended_by_something")),
        sa.CheckConstraint(
            "ended_by IS NULL OR ended_by IN ('customer', 'biller', 'policy', 'correction', 'payment')",
            name=op.f("ck_bill_answer_ended_by_known"),
        ),
        sa.CheckConstraint(
            "(biller_id IS NULL) = (reply_by IS NULL)", name=op.f("ck_bill_answer_a_biller_has_its_time")
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_bill_answer_invoice_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_bill_answer_customer_id")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_bill_answer_biller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_answer")),
    )
    op.create_index(op.f("ix_bill_answer_invoice_id"), "bill_answer", ["invoice_id"])
    op.create_index(op.f("ix_bill_answer_biller_id_id"), "bill_answer", ["biller_id", "id"])
    _index("uq_bill_answer_open", ["invoice_id"], where=OPEN, unique=True)
    _index("ix_bill_answer_waiting", ["biller_id", "reply_by"], where=OPEN)
    _index("ix_bill_answer_overdue", ["reply_by"], where=NOT_NOTICED)
    _kinds("notice_choice", CHOICES)
    _kinds("notice", (*CHOICES, *OWN))


def downgrade() -> None:
    op.execute(
        "DELETE FROM work WHERE key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind = '{NEW}')"
    )
    before = tuple(kind for kind in CHOICES if kind != NEW)
    for table, known in (("notice_choice", before), ("notice", (*before, *OWN))):
        op.execute(f"DELETE FROM {table} WHERE kind = '{NEW}'")  # noqa: S608  # nosec B608  # our own names
        _kinds(table, known)
    op.drop_table("bill_answer")
    op.drop_table("answer_policy")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("ck_invoice_extended_beyond_its_day"), type_="check")
        batch.drop_column("is_set_aside")
        batch.drop_column("extended_to")


def _index(name: str, columns: list[str], *, where: sa.TextClause, unique: bool = False) -> None:
    op.create_index(name, "bill_answer", columns, unique=unique, postgresql_where=where, sqlite_where=where)


def _kinds(table: str, kinds: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_kind_known")
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
