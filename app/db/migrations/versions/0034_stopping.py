"""stopping everything: by which passkey somebody is signed in, which passkeys were removed, and what is told of it

Whoever is signed in since before is taken for signed in by any passkey that is removed, for as long as a session lasts.

Revision: 0034, after 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
CHECK = "ck_notice_kind_known"
BEFORE = (
    "kind IN ('new_bill', 'bill_held', 'payment_settled', 'payment_failed', 'payment_reversed', 'account_frozen',"
    " 'consent_set_up', 'consent_ending', 'consent_stopped', 'consent_ended', 'consent_not_taken',"
    " 'words_changed', 'address_asked')"
)
NEW = "'all_stopped', 'stop_lifted', 'passkey_added', 'passkey_removed'"
NOW = f"{BEFORE.removesuffix(')')}, {NEW})"


def upgrade() -> None:
    op.add_column("customer_session", sa.Column("credential_id", sa.LargeBinary(), nullable=True))
    op.create_table(
        "removed_passkey",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("removed_at", MOMENT, nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_removed_passkey_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removed_passkey")),
    )
    op.create_index(op.f("ix_removed_passkey_customer_id"), "removed_passkey", ["customer_id"])
    op.create_index(op.f("ix_trip_customer_id"), "trip", ["customer_id"])
    _kinds(NOW)


def downgrade() -> None:
    op.execute(
        "DELETE FROM work WHERE key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind IN ({NEW}))"
    )
    op.execute(f"DELETE FROM notice WHERE kind IN ({NEW})")  # noqa: S608  # nosec B608  # our own names
    _kinds(BEFORE)
    op.drop_index(op.f("ix_trip_customer_id"), table_name="trip")
    op.drop_table("removed_passkey")
    op.drop_column("customer_session", "credential_id")


def _kinds(known: str) -> None:
    with op.batch_alter_table("notice") as batch:
        batch.drop_constraint(op.f(CHECK), type_="check")
        batch.create_check_constraint(op.f(CHECK), known)
