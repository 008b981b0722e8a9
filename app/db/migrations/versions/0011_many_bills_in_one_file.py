"""many bills in one file

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("bills", WHOLE, nullable=False),
        sa.Column("delivered", WHOLE, nullable=False),
        sa.Column("repeated", WHOLE, nullable=False),
        sa.Column("held", WHOLE, nullable=False),
        sa.Column("refused", WHOLE, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'done') = (ended_at IS NOT NULL)", name=op.f("ck_upload_end_has_its_moment")),
        sa.CheckConstraint("(state = 'receiving') = (sha256 IS NULL)", name=op.f("ck_upload_whole_once_received")),
        sa.CheckConstraint("state IN ('receiving', 'working', 'done')", name=op.f("ck_upload_state_known")),
        sa.CheckConstraint("delivered + repeated + held + refused <= bills", name=op.f("ck_upload_one_result_each")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_upload_biller_id")),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.client_id"], name=op.f("fk_upload_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index(op.f("ix_upload_biller_id_sha256"), "upload", ["biller_id", "sha256"])
    op.create_index(op.f("ix_upload_state"), "upload", ["state"])

    op.create_table(
        "upload_line",
        sa.Column("upload_id", sa.String(40), nullable=False),
        sa.Column("line", WHOLE, autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(length=9), nullable=False),
        sa.Column("bill_id", sa.String(40), nullable=True),
        sa.Column("number", sa.String(length=100), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'refused') = (bill_id IS NULL)", name=op.f("ck_upload_line_what_is_taken_has_an_id")
        ),
        sa.CheckConstraint(
            "outcome IN ('delivered', 'repeated', 'held', 'refused')", name=op.f("ck_upload_line_outcome_known")
        ),
        sa.ForeignKeyConstraint(["upload_id"], ["upload.id"], name=op.f("fk_upload_line_upload_id")),
        sa.PrimaryKeyConstraint("upload_id", "line", name=op.f("pk_upload_line")),
    )
    op.create_table(
        "upload_part",
        sa.Column("upload_id", sa.String(40), nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["upload_id"], ["upload.id"], name=op.f("fk_upload_part_upload_id")),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_upload_part")),
    )


def downgrade() -> None:
    """Results are lost, and what was not delivered yet must be sent again. Bills stay."""
    op.drop_table("upload_part")
    op.drop_table("upload_line")
    op.drop_index(op.f("ix_upload_state"), table_name="upload")
    op.drop_index(op.f("ix_upload_biller_id_sha256"), table_name="upload")

    op.drop_table("upload")
