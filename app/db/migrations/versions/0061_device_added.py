"""device added: a browser that shows what a customer is told is told to them

Revision: 0061, after 0060
"""

from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

NEW = "device_added"
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
    NEW,
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
TABLES = ("notice", "space_notice", "push_message")
HANDLER, FACT = "notices.tell_device_added", "DeviceAdded"


def upgrade() -> None:
    _kinds(KINDS)


def downgrade() -> None:
    op.execute(  # nobody of before has a handler for it
        f"DELETE FROM work WHERE handler = '{HANDLER}' OR key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind = '{NEW}' UNION ALL"
        f" SELECT 'notices.push:' || id FROM push_message WHERE kind = '{NEW}')"
    )
    for table in TABLES:
        op.execute(f"DELETE FROM {table} WHERE kind = '{NEW}'")  # noqa: S608  # nosec B608  # our own names
    _kinds(tuple(kind for kind in KINDS if kind != NEW))
    op.execute(f"DELETE FROM event WHERE kind = '{FACT}'")  # noqa: S608  # nosec B608  # our own names


def _kinds(kinds: tuple[str, ...]) -> None:
    for table in TABLES:
        name = op.f(f"ck_{table}_kind_known")
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(name, type_="check")
            batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
