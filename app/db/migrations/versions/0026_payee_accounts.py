"""the life cycle of payee accounts, and what a payee's bank said of a name

Every account that is here was vetted in the way of before: it has been open since it was written down, and its history
begins with that.

Revision: 0026, after 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

STATES = "state IN ('proposed', 'approved_once', 'approved', 'frozen', 'thawing', 'closed')"
HAS_ITS_DAY = "state NOT IN ('approved', 'frozen', 'thawing') OR active_from IS NOT NULL"
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("payee_account") as batch:
        batch.add_column(sa.Column("state", sa.String(13), nullable=False, server_default="approved"))
        batch.add_column(sa.Column("active_from", MOMENT, nullable=True))
        batch.add_column(sa.Column("name_check", sa.String(12), nullable=True))
        batch.add_column(sa.Column("name_found", sa.String(140), nullable=True))
        batch.add_column(sa.Column("sequence", WHOLE, nullable=False, server_default="1"))
    op.execute("UPDATE payee_account SET active_from = created_at")
    with op.batch_alter_table("payee_account") as batch:
        # no default: whoever writes down a new account says what it is
        batch.alter_column("state", existing_type=sa.String(13), existing_nullable=False, server_default=None)
        batch.alter_column("sequence", existing_type=WHOLE, existing_nullable=False, server_default=None)
        batch.create_check_constraint(op.f("ck_payee_account_state_known"), STATES)
        batch.create_check_constraint(op.f("ck_payee_account_has_its_day"), HAS_ITS_DAY)
    op.create_table(
        "payee_account_history",
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("step", sa.String(10), nullable=False),
        sa.Column("before", sa.String(13), nullable=True),
        sa.Column("after", sa.String(13), nullable=False),
        sa.Column("holder", sa.String(70), nullable=False),
        sa.Column("by", sa.String(60), nullable=False),
        sa.Column("note", sa.String(300), nullable=True),
        sa.Column("name_check", sa.String(12), nullable=True),
        sa.Column("name_found", sa.String(140), nullable=True),
        sa.Column("active_from", MOMENT, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["payee_account.id"], name=op.f("fk_payee_account_history_account_id")),
        sa.PrimaryKeyConstraint("account_id", "sequence", name=op.f("pk_payee_account_history")),
    )
    op.execute(
        'INSERT INTO payee_account_history (account_id, sequence, step, "after", holder, "by", note, active_from, "at")'
        " SELECT id, 1, 'bring_over', 'approved', holder, 'vetting', 'vetted before accounts had a history',"
        " created_at, created_at FROM payee_account"
    )
    op.add_column("held_bill", sa.Column("payee_iban", sa.String(34), nullable=True))
    op.add_column("payee_check", sa.Column("name_found", sa.String(140), nullable=True))
    op.create_table(
        "payee_name",
        sa.Column("invoice_id", sa.String(40), nullable=False),
        sa.Column("payee_name", sa.String(70), nullable=False),
        sa.Column("payee_iban", sa.String(34), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("name_found", sa.String(140), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoice.id"], name=op.f("fk_payee_name_invoice_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_payee_name")),
    )


def downgrade() -> None:
    op.drop_table("payee_name")
    for table, column in (("payee_check", "name_found"), ("held_bill", "payee_iban")):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)
    op.drop_table("payee_account_history")
    with op.batch_alter_table("payee_account") as batch:
        batch.drop_constraint(op.f("ck_payee_account_state_known"), type_="check")
        batch.drop_constraint(op.f("ck_payee_account_has_its_day"), type_="check")
        for column in ("sequence", "name_found", "name_check", "active_from", "state"):
            batch.drop_column(column)
