"""bills that are not paid here: collected by their biller, or paid to an account that is no IBAN

Stop every server and worker of an older release first: it takes no such bill and could not show one. One that was
forgotten opens none, since it finds no account in it, and offers none: only what says ``to_pay`` is offered.

On PostgreSQL the new CHECKs are NOT VALID here, so that no large table is read while it is locked: what is written from
now on is checked, and the rows that are there once this is done (``app/db/migrate.py``).

Revision: 0019, after 0018
"""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

MEANS = "means IN ('credit_transfer', 'direct_debit', 'card', 'elsewhere')"
STATES_BEFORE = "state IN ('to_pay', 'in_payment', 'paid', 'cleared')"
STATES_AFTER = "state IN ('to_pay', 'in_payment', 'paid', 'not_here', 'cleared')"
PAID_HERE_OR_NEVER = (
    "CASE WHEN means = 'credit_transfer' THEN state <> 'not_here' AND payee_iban IS NOT NULL"
    " AND payee_name IS NOT NULL ELSE state IN ('not_here', 'cleared') AND payee_iban IS NULL"
    " AND payee_name IS NULL END"
)
PAYEE = {"payee_name": sa.String(length=70), "payee_iban": sa.String(length=34)}


def upgrade() -> None:
    for table in ("delivered_bill", "invoice"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("means", sa.String(length=15), nullable=False, server_default="credit_transfer"))
            _check(batch, f"ck_{table}_means_known", MEANS)
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("means_details", sa.JSON(), nullable=False, server_default="{}"))
        for name, kind in PAYEE.items():
            batch.alter_column(name, existing_type=kind, nullable=True)
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("ck_invoice_state_known"), type_="check")
        _check(batch, "ck_invoice_state_known", STATES_AFTER)
        _check(batch, "ck_invoice_paid_here_or_never", PAID_HERE_OR_NEVER)


def downgrade() -> None:
    """Not where such a bill is here: the older program could not show it."""
    query = "SELECT id FROM delivered_bill WHERE means <> 'credit_transfer' LIMIT 1"
    if op.get_bind().execute(sa.text(query)).first():
        raise RuntimeError("bills that are not paid here were delivered since 0019, and the older program shows none")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("ck_invoice_paid_here_or_never"), type_="check")
        batch.drop_constraint(op.f("ck_invoice_state_known"), type_="check")
        _check(batch, "ck_invoice_state_known", STATES_BEFORE)
    with op.batch_alter_table("invoice") as batch:
        for name, kind in PAYEE.items():
            batch.alter_column(name, existing_type=kind, nullable=False)
        batch.drop_column("means_details")
    for table in ("invoice", "delivered_bill"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_means_known"), type_="check")
            batch.drop_column("means")


def _check(batch: BatchOperations, name: str, condition: str) -> None:
    batch.create_check_constraint(op.f(name), condition, postgresql_not_valid=True)
