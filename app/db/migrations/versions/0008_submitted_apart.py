"""a payment says that it is submitted apart from its approval; what an older process writes does not say so

Since 0007 that was read from the absence of the bank's id of the payment. A process of before 0007, running beside the
upgraded database, never writes that id, so that its payments would have been taken for ones that nobody had submitted.
What it wrote meanwhile gets its id here: approving it executed it, as until then. A process of exactly 0007 says
nothing of what it submits: it belongs to no release, and must not run beside this.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("submitted_apart", sa.Boolean(), nullable=False, server_default=sa.false()))
    # what only a payment has that is submitted: a state, the call, or a consent that was ordered by its own name
    op.execute(
        "UPDATE payment SET submitted_apart = TRUE WHERE consent_id IS NOT NULL"
        " AND (state IN ('authorised', 'submitting') OR id IN (SELECT payment_id FROM bank_call"
        " WHERE verb = 'submit' OR (verb = 'initiate' AND path LIKE '%payment-consents')))"
    )
    _name_what_is_not_submitted_apart()


def downgrade() -> None:
    """To 0007, which takes what has no id of the bank for one that nobody submitted."""
    _name_what_is_not_submitted_apart()
    op.drop_column("payment", "submitted_apart")


def _name_what_is_not_submitted_apart() -> None:
    op.execute(
        "UPDATE payment SET bank_payment_id ="
        " (SELECT bank_consent_id FROM consent WHERE consent.id = payment.consent_id)"
        " WHERE bank_payment_id IS NULL AND NOT submitted_apart"
    )
