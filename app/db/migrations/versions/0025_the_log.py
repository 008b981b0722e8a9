"""the log of every fact of a payment: entries, the tiles of their tree, signed checkpoints; seals of bills

It begins with this migration, or with the first biller where there is none: what is older is in no log. A process of
the release before writes nothing into it, and what it does is reported as missing there (`quittance check`, H2): stop
it first.

Revision: 0025, after 0024
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("number IS NULL")


def upgrade() -> None:
    op.create_table(
        "log_entry",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("number", WHOLE, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("opening", sa.Text(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_entry")),
        sa.UniqueConstraint("number", name=op.f("uq_log_entry_number")),
    )
    op.create_index(op.f("ix_log_entry_subject"), "log_entry", ["subject"])
    op.create_index("ix_log_entry_waiting", "log_entry", ["id"], postgresql_where=WAITING, sqlite_where=WAITING)
    head = op.create_table(
        "log_head",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_head")),
    )
    is_in_use = op.get_bind().execute(sa.text("SELECT id FROM biller LIMIT 1")).first() is not None
    begun_at = sa.func.current_timestamp() if is_in_use else dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    op.get_bind().execute(head.insert().values(id=1, begun_at=begun_at))
    op.create_table(
        "log_tile",
        sa.Column("level", WHOLE, autoincrement=False, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_log_tile")),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("size", WHOLE, autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_checkpoint")),
    )
    _seals()


def _seals() -> None:
    op.create_table(
        "sealing_key",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("kid", sa.String(length=100), nullable=False),
        sa.Column("jwk", sa.JSON(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_because", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_sealing_key_biller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealing_key")),
        sa.UniqueConstraint("biller_id", "kid", name=op.f("uq_sealing_key_biller_id_kid")),
    )
    for table in ("delivered_bill", "held_bill"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("seal", sa.Text(), nullable=True))
            batch.add_column(sa.Column("key_id", sa.String(40), nullable=True))
            batch.create_foreign_key(op.f(f"fk_{table}_key_id"), "sealing_key", ["key_id"], ["id"])


def downgrade() -> None:
    """Not once something was signed: a checkpoint in somebody's hands would have no log any more."""
    if op.get_bind().execute(sa.text("SELECT size FROM log_checkpoint LIMIT 1")).first():
        raise RuntimeError("checkpoints of the log were signed since 0025, and only it can be held against them")
    for table in ("delivered_bill", "held_bill"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"fk_{table}_key_id"), type_="foreignkey")
            batch.drop_column("key_id")
            batch.drop_column("seal")
    op.drop_table("sealing_key")
    for table in ("log_checkpoint", "log_tile", "log_head", "log_entry"):
        op.drop_table(table)
