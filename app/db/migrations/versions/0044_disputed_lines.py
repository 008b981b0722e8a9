"""disputed lines: what they come to is held back, and the rest of the bill can be paid

A process of before pays what is held back. Stop every old process, migrate, start the new ones. A dispute of lines that
stands keeps its bill set aside as a whole, as it was said.

Revision: 0044, after 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("invoice") as batch:
        batch.add_column(sa.Column("held_back_minor", WHOLE, server_default="0", nullable=False))
        batch.create_check_constraint(
            op.f("ck_invoice_held_back_or_aside"), "held_back_minor = 0 OR (held_back_minor > 0 AND NOT is_set_aside)"
        )
    with op.batch_alter_table("bill_answer") as batch:
        batch.add_column(sa.Column("disputed_minor", WHOLE, nullable=True))
        batch.create_check_constraint(
            op.f("ck_bill_answer_disputed_minor_of_lines"),
            "disputed_minor IS NULL OR (disputed_minor > 0 AND kind = 'disputed')",
        )


def downgrade() -> None:
    held = op.get_bind().execute(sa.text("SELECT count(*) FROM invoice WHERE held_back_minor > 0")).scalar()
    if held:
        raise NotImplementedError("lines of bills are disputed, and the version of before would pay them")
    with op.batch_alter_table("bill_answer") as batch:
        batch.drop_constraint(op.f("ck_bill_answer_disputed_minor_of_lines"), type_="check")
        batch.drop_column("disputed_minor")
    with op.batch_alter_table("invoice") as batch:
        batch.drop_constraint(op.f("ck_invoice_held_back_or_aside"), type_="check")
        batch.drop_column("held_back_minor")
