"""recovery: codes and a slow way by e-mail for who has no passkey left; another e-mail address

Revision: 0055, after 0054
"""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
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
)
NEW = (
    "address_changed",
    "codes_made",
    "code_used",
    "recovery_asked",
    "recovery_begun",
    "recovery_waits",
    "recovery_over",
    "recovery_done",
)
HANDLERS = (
    "notices.tell_address_changed",
    "notices.tell_codes_made",
    "notices.tell_code_used",
    "notices.write_recovery_words",
    "notices.tell_recovery_begun",
    "notices.tell_recovery_waits",
    "notices.tell_recovery_over",
    "notices.tell_recovery_done",
)
FACTS = (
    "AddressChanged",
    "RecoveryCodesMade",
    "RecoveryCodeUsed",
    "RecoveryAsked",
    "RecoveryWordsDrawn",
    "RecoveryBegun",
    "RecoveryWaits",
    "RecoveryOver",
    "RecoveryDone",
)
MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    _kinds((*KINDS, *NEW))
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_recovery_code_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_code_code_hash")),
    )
    op.create_index(op.f("ix_recovery_code_customer_id"), "recovery_code", ["customer_id"])
    op.create_table(
        "recovery",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("warned", NUMBER, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("opens_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'done', 'stopped', 'replaced', 'expired')", name=op.f("ck_recovery_state_known")
        ),
        sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name=op.f("ck_recovery_end_has_its_moment")),
        sa.CheckConstraint("opens_at > began_at AND expires_at > opens_at", name=op.f("ck_recovery_moments_in_order")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_recovery_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery")),
        sa.UniqueConstraint("browser_hash", name=op.f("uq_recovery_browser_hash")),
    )
    op.create_index(op.f("ix_recovery_customer_id"), "recovery", ["customer_id"])
    op.create_index(
        "uq_recovery_waiting",
        "recovery",
        ["customer_id"],
        unique=True,
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    )
    op.create_table(
        "recovery_attempt",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("recovery_id", sa.String(40), nullable=True),
        sa.Column("customers", sa.JSON(), nullable=False),
        sa.Column("tries", NUMBER, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["recovery_id"], ["recovery.id"], name=op.f("fk_recovery_attempt_recovery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_attempt")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_recovery_attempt_token_hash")),
    )
    op.create_index(op.f("ix_recovery_attempt_expires_at"), "recovery_attempt", ["expires_at"])
    op.add_column("customer", sa.Column("email_changed_at", MOMENT, nullable=True))
    op.add_column("customer_session", sa.Column("way_back", sa.String(40), nullable=True))
    with op.batch_alter_table("stop") as batch:
        batch.add_column(sa.Column("paused_by", sa.String(40), nullable=True))
        batch.create_foreign_key(op.f("fk_stop_paused_by"), "recovery", ["paused_by"], ["id"])


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM recovery WHERE state = 'waiting'")).scalar():
        raise NotImplementedError("somebody waits for a way in, and the version of before could not stop that")
    # to the program of before a session without a passkey is one that may do everything
    op.execute("DELETE FROM customer_session WHERE way_back IS NOT NULL")
    with op.batch_alter_table("stop") as batch:
        batch.drop_constraint(op.f("fk_stop_paused_by"), type_="foreignkey")
        batch.drop_column("paused_by")
    op.drop_column("customer_session", "way_back")
    op.drop_column("customer", "email_changed_at")
    for table in ("recovery_attempt", "recovery", "recovery_code"):
        op.drop_table(table)
    op.execute(  # nobody of before has a handler for them
        f"DELETE FROM work WHERE handler IN {HANDLERS} OR key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind IN {NEW})"
    )
    op.execute(f"DELETE FROM notice WHERE kind IN {NEW}")  # noqa: S608  # nosec B608  # our own names
    _kinds(KINDS)
    op.execute(f"DELETE FROM event WHERE kind IN {FACTS}")  # noqa: S608  # nosec B608  # our own names


def _kinds(kinds: tuple[str, ...]) -> None:
    name = op.f("ck_notice_kind_known")
    with op.batch_alter_table("notice") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
