"""kept at the bank: a payment is approved now for a later day, until which its bank keeps it

A process of before would draft such a decision for at once, which its customer then approves for today: the database
refuses it that payment. And it asks the bank where what is kept is not to be found. Stop every old process, migrate,
start the new ones.

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
    with op.batch_alter_table("payment") as batch:
        batch.create_check_constraint(
            op.f("ck_payment_sent_later_without_a_trip"), "send_from IS NULL OR trip_id IS NULL"
        )
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
    with op.batch_alter_table("payment") as batch:
        batch.drop_constraint(op.f("ck_payment_sent_later_without_a_trip"), type_="check")
        batch.drop_column("take_back_since")
        batch.drop_column("kept_until")
