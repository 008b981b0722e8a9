"""refunds: what companies promise to give back, what is said of it, and the accounts that customers release for it

A process of before would stop everything of a customer's and leave the account that is released. Stop every old
process, migrate, start the new ones.

Revision: 0043, after 0042
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NOT_NOTICED = sa.text("state = 'promised' AND overdue_at IS NULL")
OPEN = sa.text("state IN ('typed', 'released')")


def upgrade() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("invoice_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("owed_minor", WHOLE, nullable=False),
        sa.Column("promised_by", sa.Date(), nullable=False),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("sequence", WHOLE, nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=True),
        sa.Column("way", sa.String(16), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("overdue_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_of_something")),
        sa.CheckConstraint("amount_minor <= owed_minor", name=op.f("ck_refund_of_what_is_owed")),
        sa.CheckConstraint(
            "state IN ('promised', 'sent', 'missing', 'received', 'withdrawn')", name=op.f("ck_refund_state_known")
        ),
        sa.CheckConstraint(
            "way IS NULL OR way IN ('payer_account', 'released_account', 'other')", name=op.f("ck_refund_way_known")
        ),
        sa.CheckConstraint(
            "state NOT IN ('sent', 'missing') OR sent_on IS NOT NULL", name=op.f("ck_refund_sent_on_a_day")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_refund_invoice_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_refund_customer_id")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_refund_biller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("invoice_id", "number", name=op.f("uq_refund_invoice_id_number")),
    )
    op.create_index(op.f("ix_refund_customer_id"), "refund", ["customer_id"])
    op.create_index(op.f("ix_refund_biller_id_id"), "refund", ["biller_id", "id"])
    _index("ix_refund_overdue", "refund", ["promised_by"], where=NOT_NOTICED)
    op.create_table(
        "refund_history",
        sa.Column("refund_id", sa.String(40), nullable=False),
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("step", sa.String(10), nullable=False),
        sa.Column("before", sa.String(9), nullable=True),
        sa.Column("after", sa.String(9), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("sent_on", sa.Date(), nullable=True),
        sa.Column("way", sa.String(16), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("source IN ('biller', 'customer', 'worker')", name=op.f("ck_refund_history_source_known")),
        sa.CheckConstraint("(step = 'send') = (sent_on IS NOT NULL)", name=op.f("ck_refund_history_sent_on_of_sent")),
        sa.CheckConstraint(
            "step <> 'withdraw' OR words IS NOT NULL", name=op.f("ck_refund_history_withdrawn_with_a_reason")
        ),
        sa.ForeignKeyConstraint(["refund_id"], ["refund.id"], name=op.f("fk_refund_history_refund_id")),
        sa.PrimaryKeyConstraint("refund_id", "sequence", name=op.f("pk_refund_history")),
    )
    op.create_table(
        "refund_account",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("refund_id", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("mask", sa.String(8), nullable=False),
        sa.Column("typed_at", MOMENT, nullable=False),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("first_read_at", MOMENT, nullable=True),
        sa.Column("last_read_at", MOMENT, nullable=True),
        sa.Column("erase_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('typed', 'released', 'taken_back', 'erased')", name=op.f("ck_refund_account_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'typed') = (released_at IS NULL)", name=op.f("ck_refund_account_released_at_a_moment")
        ),
        sa.CheckConstraint(
            "(released_at IS NULL) = (evidence IS NULL)", name=op.f("ck_refund_account_released_by_a_passkey")
        ),
        sa.CheckConstraint(
            "(state IN ('taken_back', 'erased')) = (ended_at IS NOT NULL)",
            name=op.f("ck_refund_account_ended_at_a_moment"),
        ),
        sa.CheckConstraint(
            "first_read_at IS NULL OR released_at IS NOT NULL", name=op.f("ck_refund_account_read_once_released")
        ),
        sa.CheckConstraint(
            "(first_read_at IS NULL) = (last_read_at IS NULL)", name=op.f("ck_refund_account_read_first_and_last")
        ),
        sa.ForeignKeyConstraint(["refund_id"], ["refund.id"], name=op.f("fk_refund_account_refund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_account")),
    )
    op.create_index(op.f("ix_refund_account_refund_id"), "refund_account", ["refund_id"])
    _index("uq_refund_account_open", "refund_account", ["refund_id", "state"], where=OPEN, unique=True)
    _index("ix_refund_account_over", "refund_account", ["erase_at"], where=OPEN)


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM refund")).scalar():
        raise NotImplementedError("refunds were promised, which the version of before does not know")
    op.execute("DELETE FROM work WHERE handler IN ('webhooks.tell_refund_moved', 'webhooks.tell_refund_overdue')")
    op.execute("DELETE FROM sealed WHERE id LIKE 'refund:%'")
    op.drop_table("refund_account")
    op.drop_table("refund_history")
    op.drop_table("refund")


def _index(name: str, table: str, columns: list[str], *, where: sa.TextClause, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=where, sqlite_where=where)
