"""erasure asked: its customer is told at once, and in the days in which it can be taken back

Revision: 0058, after 0057
"""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

NEW = "erasure_asked"
#: in the order of the program
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
    NEW,
)
HANDLER, FACT = "notices.tell_erasure_asked", "ErasureAsked"


def upgrade() -> None:
    _kinds(KINDS)


def downgrade() -> None:
    op.execute(  # nobody of before has a handler for it
        f"DELETE FROM work WHERE handler = '{HANDLER}' OR key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind = '{NEW}')"
    )
    op.execute(f"DELETE FROM notice WHERE kind = '{NEW}'")  # noqa: S608  # nosec B608  # our own names
    _kinds(KINDS[:-1])
    op.execute(f"DELETE FROM event WHERE kind = '{FACT}'")  # noqa: S608  # nosec B608  # our own names


def _kinds(kinds: tuple[str, ...]) -> None:
    name = op.f("ck_notice_kind_known")
    with op.batch_alter_table("notice") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
