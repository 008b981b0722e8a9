"""a second look: a reversal is believed when the bank says it twice; promises are found by their time

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("doubted_since", sa.DateTime(timezone=True), nullable=True))
    promised = sa.text("know_by IS NOT NULL")  # few payments are unknown at any time
    op.create_index(
        op.f("ix_payment_know_by"), "payment", ["know_by"], postgresql_where=promised, sqlite_where=promised
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_payment_know_by"), "payment")
    op.drop_column("payment", "doubted_since")
