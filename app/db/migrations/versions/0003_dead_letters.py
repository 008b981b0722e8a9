"""dead letters: work that failed for a day is marked, and tried once a day

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("work", sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True))
    marked = sa.text("dead_at IS NOT NULL")  # few rows are: the list of them must not read the whole table
    op.create_index(op.f("ix_work_dead_at"), "work", ["dead_at"], postgresql_where=marked, sqlite_where=marked)


def downgrade() -> None:
    op.drop_index(op.f("ix_work_dead_at"), "work")
    op.drop_column("work", "dead_at")
