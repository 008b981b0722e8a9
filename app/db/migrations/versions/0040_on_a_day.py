"""on a day: what a standing consent allows can be decided for a later day

A process of before takes what was decided for a later day for something to be sent at once, on a day that is not it:
it gives it up. Stop every old process, migrate, start the new ones.

Revision: 0040, after 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

VERBS = "verb IN ('pay_now', 'pay_on_day')"


def upgrade() -> None:
    op.add_column("payment", sa.Column("send_from", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("decision") as batch:
        batch.drop_constraint(op.f("ck_decision_verb_known"), type_="check")
        batch.create_check_constraint(op.f("ck_decision_verb_known"), VERBS)
        batch.create_check_constraint(
            op.f("ck_decision_later_under_a_consent"), "verb = 'pay_now' OR consent_id IS NOT NULL"
        )


def downgrade() -> None:
    later = op.get_bind().execute(sa.text("SELECT count(*) FROM decision WHERE verb <> 'pay_now'")).scalar()
    if later:
        raise NotImplementedError("payments were decided for a later day, which the version of before does not know")
    with op.batch_alter_table("decision") as batch:
        batch.drop_constraint(op.f("ck_decision_later_under_a_consent"), type_="check")
        batch.drop_constraint(op.f("ck_decision_verb_known"), type_="check")
        batch.create_check_constraint(op.f("ck_decision_verb_known"), "verb IN ('pay_now')")
    op.drop_column("payment", "send_from")
