"""private columns: sealed with each customer's own keys; an address is found by a keyed hash; spaces can be erased

Revision: 0054, after 0053

Rows of before stay in clear, and are read so, until the worker has sealed them. On PostgreSQL columns that had a length
lose it: what is sealed is longer than what it was. SQLite knows no lengths.
"""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
#: with the length that each had
SHORT = (
    ("customer", "name", 100),
    ("customer", "email", 254),
    ("passkey", "name", 100),
    ("removed_passkey", "name", 100),
    ("customer_session", "user_agent", 200),
    ("tool_token", "name", 100),
    ("payday", "name", 60),
    ("standing", "payer_mask", 40),
    ("standing", "payer_name", 140),
)


def upgrade() -> None:
    op.drop_index("ix_customer_email", "customer")
    op.add_column("customer", sa.Column("mailbox_key", sa.String(64), nullable=True))
    op.add_column("customer", sa.Column("is_labelled", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("customer", sa.Column("erased_at", MOMENT, nullable=True))
    op.create_index("ix_customer_mailbox_key", "customer", ["mailbox_key"])
    op.execute("ALTER TABLE original RENAME COLUMN sha256 TO name")
    _have_types(lambda _: sa.Text())
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("not_before", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("erased_at", MOMENT, nullable=True),
        sa.Column("profile_gone_at", MOMENT, nullable=True),
        sa.Column("keep_until", MOMENT, nullable=True),
        sa.Column("record_gone_at", MOMENT, nullable=True),
        sa.Column("swept_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'taken_back', 'erased', 'forgotten')", name=op.f("ck_erasure_state_known")
        ),
        sa.CheckConstraint(
            "(state IN ('erased', 'forgotten')) = (erased_at IS NOT NULL)", name=op.f("ck_erasure_erased_at_a_moment")
        ),
        sa.CheckConstraint("(erased_at IS NULL) = (keep_until IS NULL)", name=op.f("ck_erasure_kept_for_a_time")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_erasure_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    standing = sa.text("state <> 'taken_back'")
    op.create_index(
        "uq_erasure_of_customer",
        "erasure",
        ["customer_id"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )


def downgrade() -> None:
    """What was sealed meanwhile stays so, and older releases cannot read it: only for a database without any."""
    _have_types(sa.String)
    op.execute("ALTER TABLE original RENAME COLUMN name TO sha256")
    op.drop_index("ix_customer_mailbox_key", "customer")
    op.drop_table("erasure")
    op.drop_column("customer", "erased_at")
    op.drop_column("customer", "is_labelled")
    op.drop_column("customer", "mailbox_key")
    op.create_index("ix_customer_email", "customer", ["email"], postgresql_ops={"email": "varchar_pattern_ops"})


def _have_types(type_of) -> None:  # type: ignore[no-untyped-def]
    if op.get_bind().dialect.name == "postgresql":
        for table, column, length in SHORT:
            op.alter_column(table, column, type_=type_of(length))
