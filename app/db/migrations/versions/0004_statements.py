"""statements: what banks and billers say of payments, and what operators noted about differences

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "difference_note",
        sa.Column("difference_id", sa.String(length=40), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("difference_id", name=op.f("pk_difference_note")),
    )
    op.create_table(
        "statement",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("message_id", sa.String(length=35), nullable=False),
        sa.Column("number", sa.String(length=35), nullable=False),
        sa.Column("account", sa.String(length=35), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("itemised", sa.Boolean(), nullable=False),
        sa.Column("entries", WHOLE, nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('camt.053', 'camt.054')", name=op.f("ck_statement_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
        sa.UniqueConstraint("sha256", "position", name=op.f("uq_statement_sha256_position")),
    )
    op.create_index(op.f("ix_statement_account"), "statement", ["account"])
    op.create_table(
        "statement_account",
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("iban", name=op.f("pk_statement_account")),
    )
    op.create_table(
        "biller_word",
        sa.Column("payment_id", sa.String(40), nullable=False),
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("received", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("amount_minor", WHOLE, nullable=True),
        sa.Column("booked_on", sa.Date(), nullable=True),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(amount_minor IS NULL) = (currency IS NULL)", name=op.f("ck_biller_word_amount_with_currency")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.client_id"], name=op.f("fk_biller_word_client_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_biller_word_payment_id")),
        sa.PrimaryKeyConstraint("payment_id", "sequence", name=op.f("pk_biller_word")),
    )
    op.create_table(
        "statement_entry",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("statement_id", sa.String(40), nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("end_to_end_id", sa.String(length=35), nullable=True),
        sa.Column("direction", sa.String(length=6), nullable=True),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("amount_minor", WHOLE, nullable=True),
        sa.Column("counterparty_iban", sa.String(length=35), nullable=True),
        sa.Column("booked_on", sa.Date(), nullable=True),
        sa.Column("bank_reference", sa.String(length=35), nullable=True),
        sa.Column("entry_reference", sa.String(length=35), nullable=True),
        sa.Column("return_reason", sa.String(length=35), nullable=True),
        sa.Column("payment_id", sa.String(40), nullable=True),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("believed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("direction IN ('credit', 'debit')", name=op.f("ck_statement_entry_direction_known")),
        sa.CheckConstraint(
            "verdict <> 'unreadable' OR reason IS NOT NULL", name=op.f("ck_statement_entry_unreadable_has_reason")
        ),
        sa.CheckConstraint(
            "verdict = 'unreadable' OR (end_to_end_id IS NOT NULL AND direction IS NOT NULL"
            " AND currency IS NOT NULL AND amount_minor IS NOT NULL)",
            name=op.f("ck_statement_entry_whole_or_unreadable"),
        ),
        sa.CheckConstraint(
            "verdict IN ('matched', 'amount', 'currency', 'payee', 'unknown', 'pending', 'unreadable')",
            name=op.f("ck_statement_entry_verdict_known"),
        ),
        sa.CheckConstraint(
            "verdict IN ('pending', 'unreadable') OR (payment_id IS NULL) = (verdict = 'unknown')",
            name=op.f("ck_statement_entry_payment_unless_unknown"),
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_statement_entry_payment_id")),
        sa.ForeignKeyConstraint(["statement_id"], ["statement.id"], name=op.f("fk_statement_entry_statement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_entry")),
        sa.UniqueConstraint("statement_id", "position", name=op.f("uq_statement_entry_statement_id_position")),
    )
    op.create_index(op.f("ix_statement_entry_end_to_end_id"), "statement_entry", ["end_to_end_id"])
    op.create_index(op.f("ix_statement_entry_payment_id"), "statement_entry", ["payment_id"])
    waiting = sa.text("verdict = 'matched' AND believed_at IS NULL")  # every import asks for them
    op.create_index(
        op.f("ix_statement_entry_waiting"),
        "statement_entry",
        ["payment_id"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )


def downgrade() -> None:
    for table in ("statement_entry", "biller_word", "statement_account", "statement", "difference_note"):
        op.drop_table(table)
