"""off session: under which standing consents a payment may be sent while its customer is not there, on a day that they
signed before; and what is told of it in any case

Those of before were asked for the customer's presence alone, and stay so.

Revision: 0045, after 0044
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

NEW = "later_failed"
KINDS = (
    "new_bill",
    "bill_held",
    "bill_reply",
    "plan_due",
    "plan_missed",
    "payment_settled",
    "payment_failed",
    "payment_reversed",
    NEW,
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


def upgrade() -> None:
    op.add_column("standing", sa.Column("off_session", sa.Boolean(), server_default=sa.false(), nullable=False))
    _kinds(KINDS)


def downgrade() -> None:
    op.execute(
        "DELETE FROM work WHERE key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind = '{NEW}')"
    )
    op.execute(f"DELETE FROM notice WHERE kind = '{NEW}'")  # noqa: S608  # nosec B608  # our own names
    _kinds(tuple(kind for kind in KINDS if kind != NEW))
    with op.batch_alter_table("standing") as batch:
        batch.drop_column("off_session")


def _kinds(kinds: tuple[str, ...]) -> None:
    name = op.f("ck_notice_kind_known")
    with op.batch_alter_table("notice") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
