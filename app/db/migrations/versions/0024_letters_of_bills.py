"""the letters and digits of each bill's number and reference, as they look: what may be the same is found by them

Revision: 0024, after 0023
"""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

#: of the bills that are there, in one statement
AT_ONCE = 1000
#: as of this revision: letters of other alphabets that look like a Latin one
ALIKE = str.maketrans("авеһіјкӏмнорԛгѕтуԝхԁсαβεζηικμνορτυχγϲɑɡɩ", "abehijklmhopqrstywxdcabezhikmnoptyxycagi")

INVOICE = sa.table(
    "invoice",
    *(sa.column(name) for name in ("id", "number", "reference", "number_letters", "reference_letters")),
)


def upgrade() -> None:
    for column in ("number_letters", "reference_letters"):
        op.add_column("invoice", sa.Column(column, sa.Text(), nullable=True))
    _fill()
    with op.batch_alter_table("invoice") as batch:
        for column in ("number_letters", "reference_letters"):
            batch.alter_column(column, existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("invoice") as batch:
        batch.drop_column("reference_letters")
        batch.drop_column("number_letters")


def _fill() -> None:
    connection = op.get_bind()
    written = sa.update(INVOICE).where(INVOICE.c.id == sa.bindparam("of"))
    written = written.values(number_letters=sa.bindparam("of_number"), reference_letters=sa.bindparam("of_reference"))
    last = ""
    while rows := connection.execute(
        sa.select(INVOICE.c.id, INVOICE.c.number, INVOICE.c.reference)
        .where(INVOICE.c.id > last)
        .order_by(INVOICE.c.id)
        .limit(AT_ONCE)
    ).all():
        connection.execute(
            written,
            [
                {"of": each.id, "of_number": letters(each.number), "of_reference": letters(each.reference or "")}
                for each in rows
            ],
        )
        last = rows[-1].id


def letters(written: str) -> str:
    """As Word.letters in app/journey/invoices/rules.py at this revision."""
    folded = unicodedata.normalize("NFKC", written).casefold()
    visible = "".join(each for each in folded if unicodedata.category(each) != "Cf")
    plain = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", visible)).strip()
    return "".join(filter(str.isalnum, plain.translate(ALIKE)))
