"""told here: what customers are told stands in their space, and on their devices if they want that

Revision: 0059, after 0058
"""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

KINDS = (
    "new_bill",
    "bill_held",
    "bill_reply",
    "bill_due",
    "plan_due",
    "plan_missed",
    "payment_coming",
    "payment_settled",
    "payment_failed",
    "payment_reversed",
    "later_failed",
    "kept_unwanted",
    "account_frozen",
    "consent_set_up",
    "consent_ending",
    "consent_stopped",
    "consent_account",
    "consent_ended",
    "consent_not_taken",
    "words_changed",
    "address_asked",
    "all_stopped",
    "stop_lifted",
    "passkey_added",
    "passkey_removed",
    "address_changed",
    "codes_made",
    "code_used",
    "recovery_asked",
    "recovery_begun",
    "recovery_waits",
    "recovery_over",
    "recovery_done",
    "space_exported",
    "erasure_asked",
)
STATES = ("waiting", "sent", "refused", "given_up", "not_sent")
MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNREAD = sa.text("seen_at IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("notice_choice") as batch:
        batch.add_column(sa.Column("by_mail", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch.add_column(sa.Column("by_push", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.create_check_constraint(op.f("ck_notice_choice_one_way_at_least"), "by_mail OR by_push")
    op.create_table(
        "push_device",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("session_id", sa.String(40), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("endpoint_key", sa.String(64), nullable=False),
        sa.Column("subscription", sa.JSON(), nullable=False),
        sa.Column("user_agent", sa.Text().with_variant(sa.String(200), "sqlite"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("taken_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_push_device_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_device")),
        sa.UniqueConstraint("endpoint_key", name=op.f("uq_push_device_endpoint_key")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_push_device_token_hash")),
    )
    op.create_index(op.f("ix_push_device_customer_id"), "push_device", ["customer_id"])
    op.create_table(
        "space_notice",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.CheckConstraint(f"kind IN ({_among(KINDS)})", name=op.f("ck_space_notice_kind_known")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_space_notice_customer_id")),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_space_notice_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_notice")),
        sa.UniqueConstraint("event_id", name=op.f("uq_space_notice_event_id")),
    )
    op.create_index(op.f("ix_space_notice_created_at"), "space_notice", ["created_at"])
    op.create_index(op.f("ix_space_notice_customer_id_created_at"), "space_notice", ["customer_id", "created_at"])
    op.create_index(
        "ix_space_notice_unread", "space_notice", ["customer_id"], postgresql_where=UNREAD, sqlite_where=UNREAD
    )
    op.create_table(
        "push_message",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("device_id", sa.String(40), nullable=False),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("locale", sa.String(5), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", NUMBER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("begun_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(f"kind IN ({_among(KINDS)})", name=op.f("ck_push_message_kind_known")),
        sa.CheckConstraint(f"state IN ({_among(STATES)})", name=op.f("ck_push_message_state_known")),
        sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name=op.f("ck_push_message_end_has_its_moment")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_push_message_customer_id")),
        sa.ForeignKeyConstraint(
            ["device_id"], ["push_device.id"], name=op.f("fk_push_message_device_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_push_message_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_message")),
        sa.UniqueConstraint("event_id", "device_id", name=op.f("uq_push_message_event_id_device_id")),
    )
    op.create_index(op.f("ix_push_message_created_at"), "push_message", ["created_at"])
    op.create_index(op.f("ix_push_message_customer_id"), "push_message", ["customer_id"])
    op.create_index(op.f("ix_push_message_device_id_kind"), "push_message", ["device_id", "kind"])
    # what was told by e-mail until now stands in the space as well, and is no news there
    op.execute(
        "INSERT INTO space_notice (id, customer_id, event_id, kind, created_at, seen_at)"
        " SELECT 'spn' || substr(id, 4), customer_id, event_id, kind, created_at, created_at FROM notice"
    )


def downgrade() -> None:
    op.execute("DELETE FROM work WHERE handler = 'notices.push'")  # nobody of before has a handler for it
    for table in ("push_message", "space_notice", "push_device"):
        op.drop_table(table)
    op.execute("DELETE FROM notice_choice WHERE NOT by_mail")
    with op.batch_alter_table("notice_choice") as batch:
        batch.drop_constraint(op.f("ck_notice_choice_one_way_at_least"), type_="check")
        batch.drop_column("by_push")
        batch.drop_column("by_mail")


def _among(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
