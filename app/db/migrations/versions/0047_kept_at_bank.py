"""kept at the bank: a payment is approved now for a later day, until which its bank keeps it

A process of before asks the bank of such a payment where it is not to be found. Stop every old process, migrate, start
the new ones.

Revision: 0047, after 0046
"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("kept_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payment", sa.Column("take_back_since", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("decision") as batch:
        batch.drop_constraint(op.f("ck_decision_later_under_a_consent"), type_="check")


def downgrade() -> None:
    kept = "SELECT count(*) FROM decision WHERE verb <> 'pay_now' AND consent_id IS NULL"
    if op.get_bind().execute(sa.text(kept)).scalar():
        raise NotImplementedError("banks keep payments until a day, which the version of before does not know")
    with op.batch_alter_table("decision") as batch:
        batch.create_check_constraint(
            op.f("ck_decision_later_under_a_consent"), "verb = 'pay_now' OR consent_id IS NOT NULL"
        )
    op.drop_column("payment", "take_back_since")
    op.drop_column("payment", "kept_until")
