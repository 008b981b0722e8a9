"""a payment that was closed may take its invoice again: the bank calls it accepted after all

What the status says of an end that other evidence decided is kept. A doubt of before meant something else, and comes
again with the next look.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BEFORE = "'billed', 'initiated', 'released', 'settled', 'reversed', 'corrected', 'applied'"
AFTER = "'billed', 'initiated', 'released', 'reclaimed', 'settled', 'reversed', 'corrected', 'applied'"


def upgrade() -> None:
    _allow(AFTER)
    op.add_column("payment", sa.Column("status_says", sa.String(length=8), nullable=True))
    op.execute("UPDATE payment SET doubted_since = NULL")


def downgrade() -> None:
    """Fails where something was reclaimed: the older program could not say what was released after it."""
    op.drop_column("payment", "status_says")
    _allow(BEFORE)


def _allow(kinds: str) -> None:
    with op.batch_alter_table("ledger_entry") as table:
        table.drop_constraint(op.f("ck_ledger_entry_kind_known"), type_="check")
        table.create_check_constraint(op.f("ck_ledger_entry_kind_known"), f"kind IN ({kinds})")
