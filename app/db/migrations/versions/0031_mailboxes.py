"""who has an address in one mailbox is found by an index, and work that nobody does any more is dropped

A program of before left the question of an address to work of its own; it is written at once now. What still waits for
that would become a dead letter; its customer can ask again.

Revision: 0031, after 0030
"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

INDEX = "ix_customer_email"


def upgrade() -> None:
    # also by how an address begins, whatever the language of the database
    op.create_index(op.f(INDEX), "customer", ["email"], postgresql_ops={"email": "varchar_pattern_ops"})
    op.execute("DELETE FROM work WHERE handler = 'notices.tell_address_asked'")


def downgrade() -> None:
    op.drop_index(op.f(INDEX), "customer")
