"""who may reach whom: connections have a life cycle, codes and addresses are redeemed, companies invited

A process of before 0016 must not run beside this: it knows no state, so it would deliver to every address there is, of
customers who have left or blocked their biller or never accepted it. Stop every old process, migrate, start the new
ones. What an old one would write of a connection is refused by the table.

Programs of billers keep the scopes that they have. One that can answer customers is given more by `quittance biller
scope`; before that, no customer can ask its biller.

Revision: 0016, after 0015
"""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATES = (
    "'none', 'handed', 'asked', 'checking', 'offered', 'active', 'muted', 'declined', 'refused', 'left', 'ended',"
    " 'blocked'"
)


def upgrade() -> None:
    _connections()
    op.create_table(
        "connection_history",
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("before", sa.String(length=8), nullable=False),
        sa.Column("after", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "source IN ('customer', 'biller', 'operator', 'worker')", name=op.f("ck_connection_history_source_known")
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_connection_history_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "sequence", name=op.f("pk_connection_history")),
    )
    op.execute(
        "INSERT INTO connection_history (connection_id, sequence, step, before, after, source, at)"
        " SELECT id, 1, 'bring_over', 'none', 'active', 'operator', created_at FROM connection"
    )
    _redemptions()
    _strays()
    op.create_table(
        "invitation",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(length=70), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=50), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("biller_id", sa.String(40), nullable=True),
        sa.CheckConstraint(
            "(accepted_at IS NULL) = (biller_id IS NULL)", name=op.f("ck_invitation_accepted_by_somebody")
        ),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_invitation_biller_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_invitation_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("customer_id", "name_key", name=op.f("uq_invitation_customer_id_name_key")),
    )
    op.create_index(op.f("ix_invitation_name_key"), "invitation", ["name_key"])
    op.add_column("biller", sa.Column("name_key", sa.String(length=200), nullable=True))
    connection = op.get_bind()
    for biller_id, name in connection.execute(sa.text("SELECT id, name FROM biller")).all():
        connection.execute(
            sa.text("UPDATE biller SET name_key = :key WHERE id = :id"), {"key": _name_key(name), "id": biller_id}
        )
    with op.batch_alter_table("biller") as batch:
        batch.alter_column("name_key", existing_type=sa.String(length=200), nullable=False)


def _name_key(name: str) -> str:
    """Its words without accents, a space before each."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return "".join(f" {word}" for word in re.split(r"[\W_]+", plain.casefold()) if word)[:200]


def _connections() -> None:
    """Whoever is connected stays so: brought over, and both know of it."""
    with op.batch_alter_table("connection") as batch:
        batch.add_column(sa.Column("state", sa.String(length=8), nullable=True))
        batch.add_column(sa.Column("sequence", WHOLE, nullable=True))
        batch.add_column(sa.Column("told", WHOLE, nullable=True))
        batch.add_column(sa.Column("told_anew", WHOLE, nullable=True))
        batch.add_column(sa.Column("reference", sa.String(length=50), nullable=True))
        batch.add_column(sa.Column("offered_reference", sa.String(length=50), nullable=True))
        batch.add_column(sa.Column("expected_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("offered_until", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("shared_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE connection SET state = 'active', sequence = 1, told = 1, told_anew = 1, shared_at = created_at,"
        " changed_at = created_at"
    )
    with op.batch_alter_table("connection") as batch:
        batch.alter_column("state", existing_type=sa.String(length=8), nullable=False)
        batch.alter_column("sequence", existing_type=WHOLE, nullable=False)
        batch.alter_column("told", existing_type=WHOLE, nullable=False)
        batch.alter_column("told_anew", existing_type=WHOLE, nullable=False)
        batch.alter_column("changed_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch.create_check_constraint(op.f("ck_connection_state_known"), f"state IN ({STATES})")
        batch.create_check_constraint(
            op.f("ck_connection_offer_has_its_end"), "(state = 'offered') = (offered_until IS NOT NULL)"
        )
        batch.create_check_constraint(
            op.f("ck_connection_offer_has_its_reference"), "state = 'offered' OR offered_reference IS NULL"
        )
        batch.create_index(op.f("ix_connection_state_offered_until"), ["state", "offered_until"])


def _redemptions() -> None:
    op.create_table(
        "redemption",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("presented", sa.String(length=120), nullable=True),
        sa.Column("reference", sa.String(length=50), nullable=True),
        sa.Column("presented_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("connection_id", sa.String(40), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "accepted_at IS NULL OR connection_id IS NOT NULL", name=op.f("ck_redemption_accepted_by_somebody")
        ),
        sa.CheckConstraint(
            "(taken_up_at IS NULL) = (presented IS NOT NULL)", name=op.f("ck_redemption_forgotten_once_looked_at")
        ),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_redemption_biller_id")),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_redemption_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption")),
    )
    op.create_index(op.f("ix_redemption_biller_id_presented_at"), "redemption", ["biller_id", "presented_at"])
    op.create_index(op.f("ix_redemption_connection_id"), "redemption", ["connection_id"])
    op.create_table(
        "connection_code",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("redemption_id", sa.String(40), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(used_at IS NULL) = (redemption_id IS NULL)", name=op.f("ck_connection_code_used_by_one")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_connection_code_customer_id")),
        sa.ForeignKeyConstraint(["redemption_id"], ["redemption.id"], name=op.f("fk_connection_code_redemption_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_connection_code_code_hash")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_connection_code_redemption_id")),
    )
    op.create_index(op.f("ix_connection_code_customer_id"), "connection_code", ["customer_id"])


def _strays() -> None:
    op.create_table(
        "stray_bill",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_stray_bill_biller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stray_bill")),
    )
    op.create_table(
        "address_leak",
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("times", WHOLE, nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_address_leak_biller_id")),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_address_leak_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "biller_id", name=op.f("pk_address_leak")),
    )


def downgrade() -> None:
    """Only where everybody is connected: the older program would deliver to customers who never accepted, or left."""
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT id FROM connection WHERE state <> 'active' LIMIT 1")).first():
        raise RuntimeError("not every connection is active, and the older program would deliver to all of them")
    op.drop_column("biller", "name_key")
    op.drop_table("invitation")
    op.drop_table("address_leak")
    op.drop_table("stray_bill")
    op.drop_table("connection_code")
    op.drop_table("redemption")
    op.drop_table("connection_history")
    with op.batch_alter_table("connection") as batch:
        batch.drop_index(op.f("ix_connection_state_offered_until"))
        batch.drop_constraint(op.f("ck_connection_offer_has_its_reference"), type_="check")
        batch.drop_constraint(op.f("ck_connection_offer_has_its_end"), type_="check")
        batch.drop_constraint(op.f("ck_connection_state_known"), type_="check")
        for column in (
            "changed_at", "shared_at", "offered_until", "expected_on", "offered_reference", "reference", "told_anew",
            "told", "sequence", "state"
        ):  # fmt: skip
            batch.drop_column(column)
