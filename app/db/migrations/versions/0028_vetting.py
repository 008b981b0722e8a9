"""the life cycle of billers, and their numbers in public registers

Every biller that is here was vetted in the way of before: it has been so since it was written down, and its history
begins with that. Its VAT number, and what stands in that, is its own alone from now on.

Revision: 0028, after 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

STATES = "state IN ('proposed', 'approved_once', 'vetted', 'suspended', 'returning', 'refused')"
HAS_ITS_DAY = "state NOT IN ('vetted', 'suspended', 'returning') OR vetted_since IS NOT NULL"
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
UNIQUE = "uq_biller_vat_id"
#: by the letters of a VAT number: the register whose number is in it, where, and how long that is
WITHIN = {"FR": ("siren", slice(4, None), 9), "BE": ("kbo", slice(2, None), 10), "CH": ("uid", slice(0, 12), 12)}


def upgrade() -> None:
    with op.batch_alter_table("biller") as batch:
        batch.add_column(sa.Column("state", sa.String(13), nullable=False, server_default="vetted"))
        batch.add_column(sa.Column("vetted_since", MOMENT, nullable=True))
        batch.add_column(sa.Column("sequence", WHOLE, nullable=False, server_default="1"))
    op.execute("UPDATE biller SET vetted_since = created_at")
    with op.batch_alter_table("biller") as batch:
        # no default: whoever writes down a new biller says what it is
        batch.alter_column("state", existing_type=sa.String(13), existing_nullable=False, server_default=None)
        batch.alter_column("sequence", existing_type=WHOLE, existing_nullable=False, server_default=None)
        batch.create_check_constraint(op.f("ck_biller_state_known"), STATES)
        batch.create_check_constraint(op.f("ck_biller_has_its_day"), HAS_ITS_DAY)
        batch.drop_constraint(op.f(UNIQUE), type_="unique")  # one that was refused keeps its number beside another's
    op.create_table(
        "biller_history",
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("step", sa.String(10), nullable=False),
        sa.Column("before", sa.String(13), nullable=True),
        sa.Column("after", sa.String(13), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("note", sa.String(300), nullable=True),
        sa.Column("doubted", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_biller_history_biller_id")),
        sa.PrimaryKeyConstraint("biller_id", "sequence", name=op.f("pk_biller_history")),
    )
    op.execute(
        'INSERT INTO biller_history (biller_id, sequence, step, "after", "by", note, doubted, "at")'
        " SELECT id, 1, 'bring_over', 'vetted', 'vetting', 'vetted before billers had a history', false, created_at"
        " FROM biller"
    )
    identifier = op.create_table(
        "biller_identifier",
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("scheme", sa.String(10), nullable=False),
        sa.Column("value", sa.String(20), nullable=False),
        sa.Column("registered_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(12), nullable=True),
        sa.Column("name_found", sa.String(140), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=True),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_biller_identifier_biller_id")),
        sa.PrimaryKeyConstraint("biller_id", "scheme", name=op.f("pk_biller_identifier")),
    )
    held = sa.text("released_at IS NULL")
    op.create_index(
        "uq_biller_identifier_held",
        "biller_identifier",
        ["scheme", "value"],
        unique=True,
        sqlite_where=held,
        postgresql_where=held,
    )
    billers = op.get_bind().execute(sa.text("SELECT id, vat_id FROM biller WHERE vat_id IS NOT NULL ORDER BY id")).all()
    rows = {("vat", vat_id): biller_id for biller_id, vat_id in billers}
    for biller_id, vat_id in billers:
        scheme, part, length = WITHIN.get(vat_id[:2], ("", slice(0), 0))
        number = vat_id[part]
        if scheme == "kbo" and len(number) == length - 1:
            number = f"0{number}"
        # "000": of Monaco, whose companies have no SIREN
        if scheme and len(number) == length and not (scheme == "siren" and number.startswith("000")):
            rows.setdefault((scheme, number), biller_id)
    named = [{"biller_id": biller_id, "scheme": scheme, "value": value} for (scheme, value), biller_id in rows.items()]
    if named:
        op.bulk_insert(identifier, named)


def downgrade() -> None:
    """The program of before pays and takes bills of whoever is written down: it may not meet one who is not vetted."""
    others = op.get_bind().scalar(sa.text("SELECT count(*) FROM biller WHERE state <> 'vetted'"))
    if others:
        raise RuntimeError(f"{others} billers are not vetted, or suspended: the release of before would let them in.")
    op.execute("DELETE FROM work WHERE handler = 'connections.accept_invitations'")  # it has no such handler
    op.drop_table("biller_identifier")
    op.drop_table("biller_history")
    with op.batch_alter_table("biller") as batch:
        batch.drop_constraint(op.f("ck_biller_state_known"), type_="check")
        batch.drop_constraint(op.f("ck_biller_has_its_day"), type_="check")
        for column in ("sequence", "vetted_since", "state"):
            batch.drop_column(column)
        batch.create_unique_constraint(op.f(UNIQUE), ["vat_id"])
