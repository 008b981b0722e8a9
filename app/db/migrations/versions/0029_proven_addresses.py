"""an address is written to once its customer has shown that it is theirs

Nobody has shown it yet: what was chosen before is kept, and sent from then on.

Revision: 0029, after 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

CHECK = "ck_notice_kind_known"
BEFORE = (
    "kind IN ('new_bill', 'bill_held', 'payment_settled', 'payment_failed', 'payment_reversed', 'account_frozen',"
    " 'words_changed')"
)
NOW = BEFORE.removesuffix(")") + ", 'address_asked')"


def upgrade() -> None:
    op.add_column("customer", sa.Column("email_proven_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notice", sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
    _kinds(NOW)


def downgrade() -> None:
    op.execute(
        "DELETE FROM work WHERE handler = 'notices.tell_address_asked' OR key IN"
        " (SELECT 'notices.send:' || id FROM notice WHERE kind = 'address_asked')"
    )
    op.execute("DELETE FROM notice WHERE kind = 'address_asked'")
    _kinds(BEFORE)
    op.drop_column("notice", "begun_at")
    op.drop_column("customer", "email_proven_at")


def _kinds(known: str) -> None:
    with op.batch_alter_table("notice") as batch:
        batch.drop_constraint(op.f(CHECK), type_="check")
        batch.create_check_constraint(op.f(CHECK), known)
