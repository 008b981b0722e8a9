"""messages: that a standing consent is paid from another account than before

Revision: 0036, after 0035
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

NEW = "consent_account"
CHOICES = (
    "new_bill",
    "bill_held",
    "payment_settled",
    "payment_failed",
    "payment_reversed",
    "account_frozen",
    "consent_set_up",
    "consent_ending",
    "consent_stopped",
    NEW,
    "consent_ended",
    "consent_not_taken",
)
#: which nobody chooses
OWN = ("words_changed", "address_asked", "all_stopped", "stop_lifted", "passkey_added", "passkey_removed")


def upgrade() -> None:
    _kinds("notice_choice", CHOICES)
    _kinds("notice", (*CHOICES, *OWN))


def downgrade() -> None:
    op.execute(
        "DELETE FROM work WHERE key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind = '{NEW}')"
    )
    before = tuple(kind for kind in CHOICES if kind != NEW)
    for table, known in (("notice_choice", before), ("notice", (*before, *OWN))):
        op.execute(f"DELETE FROM {table} WHERE kind = '{NEW}'")  # noqa: S608  # nosec B608  # our own names
        _kinds(table, known)


def _kinds(table: str, kinds: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_kind_known")
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
