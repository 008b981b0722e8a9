"""credit notes, new versions and withdrawals of bills

Stop every server and worker of an older release first, and start none again: an older program knows of no corrections.
It would send an order over the old amount, and open a bill without what was credited of it before. One that was
forgotten is refused by the database where it matters: ``credited_minor`` has no default there, so that it neither opens
a bill nor takes a decision, and what is owed of an invoice is never due as well (``never_due_and_owed``), so that it
gives back nothing that was credited meanwhile. Its work is left for the workers of this release.

On PostgreSQL the new CHECKs are NOT VALID here, so that no large table is read while it is locked: what is written from
now on is checked, and the rows that are there once this is done (``app/db/migrate.py``).

Revision: 0018, after 0015
"""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_CORRECTION = sa.text("corrects_number IS NOT NULL")
IS_NEW_VERSION = sa.text("replaces_id IS NOT NULL")
NO_CREDIT_NOTE = sa.text("kind <> 'credit_note'")

KINDS_BEFORE = "'billed', 'initiated', 'released', 'reclaimed', 'settled', 'reversed', 'corrected', 'applied'"
KINDS_AFTER = f"{KINDS_BEFORE}, 'credited'"
STATES_BEFORE = "'to_pay', 'in_payment', 'paid'"
STATES_AFTER = f"{STATES_BEFORE}, 'cleared'"


def upgrade() -> None:
    with op.batch_alter_table("delivered_bill") as batch:
        batch.add_column(sa.Column("kind", sa.String(length=11), nullable=False, server_default="invoice"))
        batch.add_column(sa.Column("corrects_number", sa.String(length=100), nullable=True))
        _check(batch, "ck_delivered_bill_kind_known", "kind IN ('invoice', 'credit_note')")
    with op.batch_alter_table("held_bill") as batch:
        batch.add_column(sa.Column("corrects_number", sa.String(length=100), nullable=True))
    op.create_index(
        op.f("ix_delivered_bill_corrects_number"),
        "delivered_bill",
        ["biller_id", "corrects_number"],
        postgresql_where=IS_CORRECTION,
        sqlite_where=IS_CORRECTION,
    )
    for table in ("invoice", "decision"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("credited_minor", WHOLE, nullable=False, server_default="0"))
            _check(batch, f"ck_{table}_credited_not_negative", "credited_minor >= 0")
        with op.batch_alter_table(table) as batch:
            batch.alter_column("credited_minor", server_default=None)
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("retracted_minor", WHOLE, nullable=False, server_default="0"))
        batch.add_column(sa.Column("sequence", WHOLE, nullable=False, server_default="0"))
        _check(batch, "ck_invoice_retracted_of_credited", "retracted_minor BETWEEN 0 AND credited_minor")
    with op.batch_alter_table("ledger_balance") as batch:
        batch.add_column(sa.Column("owed_minor", WHOLE, nullable=False, server_default="0"))
        _check(batch, "ck_ledger_balance_owed_not_negative", "owed_minor >= 0")
        _check(batch, "ck_ledger_balance_never_due_and_owed", "owed_minor = 0 OR balance_minor = 0")
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("replaces_id", sa.String(40), nullable=True))
        batch.create_foreign_key(op.f("fk_invoice_replaces_id"), "invoice", ["replaces_id"], ["id"])
    op.create_index(
        op.f("uq_invoice_replaces_id"),
        "invoice",
        ["replaces_id"],
        unique=True,
        postgresql_where=IS_NEW_VERSION,
        sqlite_where=IS_NEW_VERSION,
    )
    op.add_column("decision", sa.Column("earlier_paid", sa.JSON(), nullable=False, server_default="[]"))
    _allow("invoice", "state", STATES_AFTER)
    _allow("ledger_entry", "kind", KINDS_AFTER)
    op.create_table(
        "correction",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(length=11), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("bill_id", sa.String(40), nullable=True),
        sa.Column("invoice_id", sa.String(40), nullable=True),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("names", sa.String(length=100), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("taken_minor", WHOLE, nullable=False),
        sa.Column("because", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('credit_note', 'new_version', 'withdrawal')", name=op.f("ck_correction_kind_known")
        ),
        sa.CheckConstraint("state IN ('standing', 'applied')", name=op.f("ck_correction_state_known")),
        sa.CheckConstraint(
            "(state = 'applied') = (invoice_id IS NOT NULL)", name=op.f("ck_correction_applied_to_a_bill")
        ),
        sa.CheckConstraint(
            "(state = 'applied') = (applied_at IS NOT NULL)", name=op.f("ck_correction_applied_has_its_moment")
        ),
        sa.CheckConstraint(
            "because IS NULL OR because IN ('no-preceding', 'several-preceding', 'unknown-preceding',"
            " 'other-preceding', 'replaces-each-other')",
            name=op.f("ck_correction_because_known"),
        ),
        sa.CheckConstraint(
            "(state = 'standing') = (because IS NOT NULL)", name=op.f("ck_correction_standing_says_why")
        ),
        sa.CheckConstraint(
            "(kind = 'withdrawal') = (bill_id IS NULL)", name=op.f("ck_correction_a_withdrawal_is_no_document")
        ),
        sa.CheckConstraint("taken_minor >= 0", name=op.f("ck_correction_taken_not_negative")),
        sa.ForeignKeyConstraint(["bill_id"], ["delivered_bill.id"], name=op.f("fk_correction_bill_id")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_correction_biller_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_correction_customer_id")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_correction_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
        sa.UniqueConstraint("bill_id", name=op.f("uq_correction_bill_id")),
    )
    op.create_index(
        op.f("uq_correction_whole"),
        "correction",
        ["invoice_id", "kind"],
        unique=True,
        postgresql_where=NO_CREDIT_NOTE,
        sqlite_where=NO_CREDIT_NOTE,
    )
    op.create_index(op.f("ix_correction_customer_id_state"), "correction", ["customer_id", "state"])
    op.create_index(op.f("ix_correction_invoice_id"), "correction", ["invoice_id"])


def downgrade() -> None:
    """Not where something was corrected: the older program would ask for the old amount."""
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT id FROM delivered_bill WHERE kind <> 'invoice' LIMIT 1")).first():
        raise RuntimeError("credit notes were delivered since 0018, and the older program would take them for bills")
    if connection.execute(sa.text("SELECT id FROM correction LIMIT 1")).first():
        raise RuntimeError("bills were corrected since 0018, and the older program would ask for the old amounts")
    op.drop_table("correction")
    _allow("ledger_entry", "kind", KINDS_BEFORE)
    _allow("invoice", "state", STATES_BEFORE)
    with op.batch_alter_table("ledger_balance") as batch:
        for name in ("never_due_and_owed", "owed_not_negative"):
            batch.drop_constraint(op.f(f"ck_ledger_balance_{name}"), type_="check")
        batch.drop_column("owed_minor")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("ck_invoice_retracted_of_credited"), type_="check")
        batch.drop_column("sequence")
        batch.drop_column("retracted_minor")
    op.drop_index(op.f("uq_invoice_replaces_id"), table_name="invoice")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("fk_invoice_replaces_id"), type_="foreignkey")
        batch.drop_column("replaces_id")
    with op.batch_alter_table("decision") as batch:
        batch.drop_column("earlier_paid")
    for table in ("decision", "invoice"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_credited_not_negative"), type_="check")
            batch.drop_column("credited_minor")
    op.drop_index(op.f("ix_delivered_bill_corrects_number"), table_name="delivered_bill")
    with op.batch_alter_table("held_bill") as batch:
        batch.drop_column("corrects_number")
    with op.batch_alter_table("delivered_bill") as batch:
        batch.drop_constraint(op.f("ck_delivered_bill_kind_known"), type_="check")
        batch.drop_column("corrects_number")
        batch.drop_column("kind")


def _allow(table: str, column: str, words: str) -> None:
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_{column}_known"), type_="check")
        _check(batch, f"ck_{table}_{column}_known", f"{column} IN ({words})")


def _check(batch: BatchOperations, name: str, condition: str) -> None:
    batch.create_check_constraint(op.f(name), condition, postgresql_not_valid=True)
