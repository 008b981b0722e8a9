"""an unknown outcome about which nobody can be asked any more says so, instead of promising a time

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("untold_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Whoever looks next promises anew: the older program expects a promise of every unknown outcome."""
    op.execute("UPDATE payment SET know_by = updated_at WHERE untold_since IS NOT NULL AND know_by IS NULL")
    op.drop_column("payment", "untold_since")
