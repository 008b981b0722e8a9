"""reminders: bills that are due soon are told of, at the hours that their customer chose, and stand in a calendar feed

Revision: 0053, after 0052
"""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

NEW = "bill_due"
CHOICES = (
    "new_bill",
    "bill_held",
    "bill_reply",
    NEW,
    "plan_due",
    "plan_missed",
    "payment_coming",
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
#: in the order of the program
KINDS = (*CHOICES[:10], "later_failed", "kept_unwanted", *CHOICES[10:])
#: which nobody chooses
OWN = (
    "words_changed",
    "address_asked",
    "all_stopped",
    "stop_lifted",
    "passkey_added",
    "passkey_removed",
)
HANDLERS = ("notices.tell_bill_due", "notices.tell_bill_due_together")
FACT = "BillDueSoon"
MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WANTED = sa.text(f"kind = '{NEW}'")


def upgrade() -> None:
    _kinds("notice_choice", CHOICES)
    _kinds("notice", (*KINDS, *OWN))
    op.create_index(
        "ix_notice_choice_bill_due",
        "notice_choice",
        ["customer_id"],
        postgresql_where=WANTED,
        sqlite_where=WANTED,
    )
    op.create_table(
        "notice_times",
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("lead_days", NUMBER, nullable=False),
        sa.Column("quiet_from", NUMBER, nullable=True),
        sa.Column("quiet_to", NUMBER, nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint("lead_days BETWEEN 0 AND 14", name=op.f("ck_notice_times_lead_within")),
        sa.CheckConstraint("(quiet_from IS NULL) = (quiet_to IS NULL)", name=op.f("ck_notice_times_quiet_has_both")),
        sa.CheckConstraint(
            "quiet_from BETWEEN 0 AND 23 AND quiet_to BETWEEN 0 AND 23",
            name=op.f("ck_notice_times_quiet_of_the_day"),
        ),
        sa.CheckConstraint(
            "CASE WHEN quiet_to > quiet_from THEN quiet_to - quiet_from ELSE quiet_to - quiet_from + 24 END"
            " BETWEEN 1 AND 16",
            name=op.f("ck_notice_times_quiet_leaves_some_of_the_day"),
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_notice_times_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_notice_times")),
    )
    op.create_table(
        "bill_reminder",
        sa.Column("invoice_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("lead_days", NUMBER, nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_bill_reminder_customer_id")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_bill_reminder_invoice_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_bill_reminder")),
    )
    op.create_index(op.f("ix_bill_reminder_customer_id"), "bill_reminder", ["customer_id"])
    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("detail", sa.String(8), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("changes", NUMBER, nullable=False),
        sa.CheckConstraint("detail IN ('discreet', 'company', 'full')", name=op.f("ck_calendar_feed_detail_known")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_calendar_feed_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_feed_token_hash")),
    )
    op.create_index(op.f("ix_calendar_feed_customer_id"), "calendar_feed", ["customer_id"])


def downgrade() -> None:
    for table in ("calendar_feed", "bill_reminder", "notice_times"):
        op.drop_table(table)
    op.drop_index("ix_notice_choice_bill_due", "notice_choice")
    op.execute(  # nobody of before has a handler for them
        f"DELETE FROM work WHERE handler IN {HANDLERS} OR key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind = '{NEW}')"
    )
    for table, known in (("notice_choice", CHOICES), ("notice", (*KINDS, *OWN))):
        op.execute(f"DELETE FROM {table} WHERE kind = '{NEW}'")  # noqa: S608  # nosec B608  # our own names
        _kinds(table, tuple(kind for kind in known if kind != NEW))
    op.execute(f"DELETE FROM event WHERE kind = '{FACT}'")  # noqa: S608  # nosec B608  # our own names


def _kinds(table: str, kinds: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_kind_known")
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
