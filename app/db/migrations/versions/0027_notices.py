"""messages to customers: which kinds they chose, and what was told

Nobody has chosen anything: no message is sent before its customer says so.

Revision: 0027, after 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

CHOICES = "kind IN ('new_bill', 'bill_held', 'payment_settled', 'payment_failed', 'payment_reversed', 'account_frozen')"
KINDS = CHOICES.removesuffix(")") + ", 'words_changed')"
STATES = "state IN ('waiting', 'sent', 'refused', 'given_up', 'not_sent')"
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "notice_choice",
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("chosen_at", MOMENT, nullable=False),
        sa.CheckConstraint(CHOICES, name=op.f("ck_notice_choice_kind_known")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_notice_choice_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", "kind", name=op.f("pk_notice_choice")),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("locale", sa.String(5), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", WHOLE, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_notice_kind_known")),
        sa.CheckConstraint(STATES, name=op.f("ck_notice_state_known")),
        sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name=op.f("ck_notice_end_has_its_moment")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_notice_customer_id")),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_notice_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("event_id", name=op.f("uq_notice_event_id")),
    )
    op.create_index(op.f("ix_notice_created_at"), "notice", ["created_at"])
    op.create_index(op.f("ix_notice_customer_id_created_at"), "notice", ["customer_id", "created_at"])


def downgrade() -> None:
    op.drop_table("notice")
    op.drop_table("notice_choice")
