"""bills that customers add themselves, and what they check before they pay one

An invoice has a delivered bill and its biller, or the bill that its customer added, and never both.

Revision: 0020, after 0019
"""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CHECKS = {
    "delivered_by_a_biller": "(bill_id IS NULL) = (biller_id IS NULL)",
    "delivered_or_own": "(bill_id IS NULL) = (own_bill_id IS NOT NULL)",
    "own_is_as_it_was_kept": (
        "own_bill_id IS NULL OR (credited_minor = 0 AND discount_minor = 0 AND replaces_id IS NULL)"
    ),
}


def upgrade() -> None:
    op.create_table(
        "own_bill",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_own_bill_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_bill")),
    )
    op.create_index(op.f("ix_own_bill_customer_id"), "own_bill", ["customer_id"])
    op.create_index(op.f("ix_own_bill_kept_at"), "own_bill", ["kept_at"])
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("own_bill_id", sa.String(40), nullable=True))
        batch.alter_column("bill_id", existing_type=sa.String(40), nullable=True)
        batch.alter_column("biller_id", existing_type=sa.String(40), nullable=True)
        batch.create_foreign_key(op.f("fk_invoice_own_bill_id"), "own_bill", ["own_bill_id"], ["id"])
        batch.create_unique_constraint(op.f("uq_invoice_own_bill_id"), ["own_bill_id"])
        for name, condition in CHECKS.items():
            _check(batch, f"ck_invoice_{name}", condition)
    with op.batch_alter_table("payment") as batch:
        batch.alter_column("biller_id", existing_type=sa.String(40), nullable=True)
    op.create_table(
        "payee_check",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("invoice_id", sa.String(40), nullable=False),
        sa.Column("bank_id", sa.String(length=60), nullable=False),
        sa.Column("payee_name", sa.String(length=70), nullable=False),
        sa.Column("payee_iban", sa.String(length=34), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("typed_iban", sa.String(length=34), nullable=True),
        sa.Column("name_check", sa.String(length=20), nullable=True),
        sa.Column("warning", sa.String(length=20), nullable=True),
        sa.Column("likeness", sa.String(length=100), nullable=True),
        sa.Column("besides", sa.JSON(), nullable=False),
        sa.Column("shown", sa.String(length=64), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_payee_check_customer_id")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_payee_check_invoice_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payee_check")),
    )
    op.create_index(op.f("ix_payee_check_invoice_id"), "payee_check", ["invoice_id"])
    op.create_index(op.f("ix_payee_check_checked_at"), "payee_check", ["checked_at"])
    with op.batch_alter_table("decision") as batch:
        batch.add_column(sa.Column("payee_check_id", sa.String(40), nullable=True))
        batch.create_foreign_key(op.f("fk_decision_payee_check_id"), "payee_check", ["payee_check_id"], ["id"])
        batch.create_unique_constraint(op.f("uq_decision_payee_check_id"), ["payee_check_id"])


def downgrade() -> None:
    """Not where a customer has added a bill: the older program knows of no bill without a biller."""
    if op.get_bind().execute(sa.text("SELECT id FROM invoice WHERE own_bill_id IS NOT NULL LIMIT 1")).first():
        raise RuntimeError("customers added bills since 0020, which the older program cannot show")
    with op.batch_alter_table("decision") as batch:
        batch.drop_constraint(op.f("uq_decision_payee_check_id"), type_="unique")
        batch.drop_constraint(op.f("fk_decision_payee_check_id"), type_="foreignkey")
        batch.drop_column("payee_check_id")
    op.drop_index(op.f("ix_payee_check_checked_at"), table_name="payee_check")
    op.drop_index(op.f("ix_payee_check_invoice_id"), table_name="payee_check")
    op.drop_table("payee_check")
    with op.batch_alter_table("payment") as batch:
        batch.alter_column("biller_id", existing_type=sa.String(40), nullable=False)
    with op.batch_alter_table("invoice") as batch:
        for name in CHECKS:
            batch.drop_constraint(op.f(f"ck_invoice_{name}"), type_="check")
        batch.drop_constraint(op.f("uq_invoice_own_bill_id"), type_="unique")
        batch.drop_constraint(op.f("fk_invoice_own_bill_id"), type_="foreignkey")
        batch.alter_column("biller_id", existing_type=sa.String(40), nullable=False)
        batch.alter_column("bill_id", existing_type=sa.String(40), nullable=False)
        batch.drop_column("own_bill_id")
    op.drop_index(op.f("ix_own_bill_kept_at"), table_name="own_bill")
    op.drop_index(op.f("ix_own_bill_customer_id"), table_name="own_bill")
    op.drop_table("own_bill")


def _check(batch: BatchOperations, name: str, condition: str) -> None:
    batch.create_check_constraint(op.f(name), condition, postgresql_not_valid=True)
