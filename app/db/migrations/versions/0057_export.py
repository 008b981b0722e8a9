"""export: a customer takes all of their papers along, and brings those of other places

Revision: 0057, after 0056
"""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

NEW = "space_exported"
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
    NEW,
)
HANDLER, FACT = "notices.tell_space_exported", "SpaceExported"
MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _kinds(KINDS)
    op.create_table(
        "export",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("made_at", MOMENT, nullable=True),
        sa.Column("size_bytes", NUMBER, nullable=True),
        sa.Column("bills", NUMBER, nullable=True),
        sa.Column("manifest_sha256", sa.String(64), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.CheckConstraint("(made_at IS NULL) = (size_bytes IS NULL)", name=op.f("ck_export_made_has_its_size")),
        sa.CheckConstraint(
            "(made_at IS NULL) = (manifest_sha256 IS NULL)", name=op.f("ck_export_made_has_its_manifest")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_export_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export")),
    )
    op.create_index(op.f("ix_export_customer_id_asked_at"), "export", ["customer_id", "asked_at"])
    op.create_table(
        "brought",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", NUMBER, nullable=False),
        sa.Column("bills", NUMBER, nullable=False),
        sa.Column("receipts", NUMBER, nullable=False),
        sa.Column("brought_at", MOMENT, nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_brought_size_positive")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_brought_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brought")),
        sa.UniqueConstraint("customer_id", "sha256", name=op.f("uq_brought_customer_id_sha256")),
    )
    op.create_table(
        "brought_part",
        sa.Column("brought_id", sa.String(40), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brought_id"], ["brought.id"], name=op.f("fk_brought_part_brought_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("brought_id", "number", name=op.f("pk_brought_part")),
    )


def downgrade() -> None:
    for table in ("brought_part", "brought", "export"):
        op.drop_table(table)
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
