"""the bytes of bills are kept by their hash, sealed

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What there is stays where it is: the key is not ours to read here. `quittance bill seal` seals it."""
    op.create_table(
        "original",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_original")),
    )
    for table in ("delivered_bill", "held_bill"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column("content", existing_type=sa.LargeBinary(), nullable=True)


def downgrade() -> None:
    """Not where a bill is sealed: nobody but the service can open it, and a bill without its file is none."""
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT sha256 FROM original LIMIT 1")).first():
        raise RuntimeError("bills are sealed since 0013, and the older program could not read them")
    for table in ("delivered_bill", "held_bill"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column("content", existing_type=sa.LargeBinary(), nullable=False)
    op.drop_table("original")
