"""a payment may be submitted apart from its approval: states, the call, and the bank's own id of the payment

Until now the bank's id of what was approved was that of the payment: it stays so for all that there is. What a bank
answered in the moment of the upgrade is not exchanged any more; its status tells, as after any lost exchange.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATES = (
    "'prepared', 'initiating', 'awaiting_customer', {}'accepted', 'settled', 'rejected', 'cancelled', 'expired',"
    " 'unknown', 'reversed'"
)
VERBS = "'initiate', 'complete', {}'cancel'"


def upgrade() -> None:
    op.add_column("payment", sa.Column("bank_payment_id", sa.String(length=140), nullable=True))
    op.execute(
        "UPDATE payment SET bank_payment_id ="
        " (SELECT bank_consent_id FROM consent WHERE consent.id = payment.consent_id)"
    )
    _allow(states=STATES.format("'authorised', 'submitting', "), verbs=VERBS.format("'submit', "))
    with op.batch_alter_table("payment") as table:
        table.create_unique_constraint(op.f("uq_payment_bank_id_bank_payment_id"), ["bank_id", "bank_payment_id"])


def downgrade() -> None:
    """Fails where a payment was submitted: the older program would ask the bank about it by the wrong id."""
    with op.batch_alter_table("payment") as table:
        table.drop_constraint(op.f("uq_payment_bank_id_bank_payment_id"), type_="unique")
    _allow(states=STATES.format(""), verbs=VERBS.format(""))
    op.drop_column("payment", "bank_payment_id")


def _allow(*, states: str, verbs: str) -> None:
    with op.batch_alter_table("payment") as table:
        table.drop_constraint(op.f("ck_payment_state_known"), type_="check")
        table.create_check_constraint(op.f("ck_payment_state_known"), f"state IN ({states})")
    with op.batch_alter_table("bank_call") as table:
        table.drop_constraint(op.f("ck_bank_call_verb_known"), type_="check")
        table.create_check_constraint(op.f("ck_bank_call_verb_known"), f"verb IN ({verbs})")
