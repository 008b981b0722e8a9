"""agreeing on standing consents: how often one was sent, who renews its token, when the bank had it no more; messages

Revision: 0033, after 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
NEW = ("psu", "sent_at", "sends", "renewing_until", "gone_at")
#: what is taken back while its first bytes are on their way has no id at the bank yet
KNOWN_AT_BANK = (
    "bank_consent_id IS NOT NULL"
    " OR (kind = 'standing' AND state IN ('prepared', 'revoking', 'rejected', 'expired', 'revoked'))"
)
KNOWN_BEFORE = (
    "bank_consent_id IS NOT NULL OR (kind = 'standing' AND state IN ('prepared', 'rejected', 'expired', 'revoked'))"
)
CHOICES_BEFORE = ("new_bill", "bill_held", "payment_settled", "payment_failed", "payment_reversed", "account_frozen")
OWN = ("words_changed", "address_asked")  # which nobody chooses
OF_CONSENTS = ("consent_set_up", "consent_ending", "consent_stopped", "consent_ended", "consent_not_taken")


def upgrade() -> None:
    with op.batch_alter_table("standing") as batch:
        batch.add_column(sa.Column("psu", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("sent_at", MOMENT, nullable=True))
        batch.add_column(sa.Column("sends", WHOLE, server_default="0", nullable=False))
        batch.add_column(sa.Column("renewing_until", MOMENT, nullable=True))
        batch.add_column(sa.Column("gone_at", MOMENT, nullable=True))
    with op.batch_alter_table("standing") as batch:
        batch.alter_column("sends", existing_type=WHOLE, existing_nullable=False, server_default=None)
    _known_at_bank(KNOWN_AT_BANK)
    _kinds("notice_choice", (*CHOICES_BEFORE, *OF_CONSENTS))
    _kinds("notice", (*CHOICES_BEFORE, *OF_CONSENTS, *OWN))


def downgrade() -> None:
    """Messages about consents go: the older program could neither send nor show one."""
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT count(*) FROM consent WHERE kind = 'standing'")):
        raise RuntimeError("standing consents were agreed on since 0033, and the older program could not end one")
    op.execute(
        "DELETE FROM work WHERE key IN (SELECT 'notices.send:' || id FROM notice"  # noqa: S608  # nosec B608  # our own names
        f" WHERE kind IN ({_listed(OF_CONSENTS)}))"
    )
    for table, before in (("notice_choice", CHOICES_BEFORE), ("notice", (*CHOICES_BEFORE, *OWN))):
        op.execute(f"DELETE FROM {table} WHERE kind IN ({_listed(OF_CONSENTS)})")  # noqa: S608  # nosec B608  # our own names
        _kinds(table, before)
    _known_at_bank(KNOWN_BEFORE)
    with op.batch_alter_table("standing") as batch:
        for column in NEW:
            batch.drop_column(column)


def _known_at_bank(condition: str) -> None:
    with op.batch_alter_table("consent") as batch:
        batch.drop_constraint(op.f("ck_consent_known_at_bank"), type_="check")
        batch.create_check_constraint(op.f("ck_consent_known_at_bank"), condition, postgresql_not_valid=True)


def _kinds(table: str, kinds: tuple[str, ...]) -> None:
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_kind_known"), type_="check")
        batch.create_check_constraint(op.f(f"ck_{table}_kind_known"), f"kind IN ({_listed(kinds)})")


def _listed(kinds: tuple[str, ...]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)
