"""unanswered: of a payment that was closed before its bank had answered the bank may have the order all the same

Revision: 0050, after 0049
"""

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE invoice SET may_have_been_paid = true"
        " WHERE id IN (SELECT p.invoice_id FROM payment p JOIN payment_history h ON h.payment_id = p.id"
        " JOIN bank_call c ON c.payment_id = p.id JOIN bank_attempt a ON a.call_id = c.id"
        " WHERE h.after IN ('rejected', 'cancelled', 'expired') AND c.verb = 'initiate'"
        " AND (a.outcome IS NULL OR a.outcome = 'BankSilent'))"
    )


def downgrade() -> None:
    """What is known of a bill stays known."""
