"""a key of each number of a biller: the same for all forms in which one number may be written

The numbers stay as they were written down: the log has them. Where two billers have one number already, in two forms,
the later one gets a key of its own, for an operator to look at; it is said in the output.

Revision: 0030, after 0029
"""

import logging
import re

import sqlalchemy as sa
from alembic import op
from stdnum import get_cc_module
from stdnum.exceptions import ValidationError

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

INDEX = "uq_biller_identifier_held"
HELD = sa.text("released_at IS NULL")
TABLE = sa.table("biller_identifier", *map(sa.column, ("biller_id", "scheme", "value", "value_key", "released_at")))
BILLER = sa.table("biller", sa.column("id"), sa.column("created_at"))


def upgrade() -> None:
    op.add_column("biller_identifier", sa.Column("value_key", sa.String(24), nullable=False, server_default=""))
    op.execute(TABLE.update().values(value_key=TABLE.c.value))
    _write_keys()
    with op.batch_alter_table("biller_identifier") as batch:
        # no default: whoever writes down a number says which one it is
        batch.alter_column("value_key", existing_type=sa.String(24), existing_nullable=False, server_default=None)
    _index("value_key")


def downgrade() -> None:
    twice = sa.select(TABLE.c.scheme, TABLE.c.value).where(TABLE.c.released_at.is_(None))
    twice = twice.group_by(TABLE.c.scheme, TABLE.c.value).having(sa.func.count() > 1)
    for scheme, value in op.get_bind().execute(twice):
        raise RuntimeError(f"Two billers have {scheme}:{value} now, which the release of before allows none.")
    _index("value")
    op.drop_column("biller_identifier", "value_key")


def _index(column: str) -> None:
    op.drop_index(INDEX, "biller_identifier")
    op.create_index(
        INDEX, "biller_identifier", ["scheme", column], unique=True, sqlite_where=HELD, postgresql_where=HELD
    )


def _write_keys() -> None:
    connection = op.get_bind()
    numbers = connection.execute(
        sa.select(TABLE.c.biller_id, TABLE.c.value, TABLE.c.released_at)
        .join(BILLER, BILLER.c.id == TABLE.c.biller_id)
        .where(TABLE.c.scheme == "vat")
        .order_by(BILLER.c.created_at, BILLER.c.id)
    ).all()
    held: dict[str, str] = {}  # key → the oldest biller that has it
    for biller_id, value, released_at in numbers:
        key = _key(value)
        if released_at is None and held.setdefault(key, biller_id) != biller_id:
            said = "%s has the VAT number of %s, in another form: suspend the one that should not be here."
            logging.getLogger("alembic.runtime.migration").warning(said, biller_id, held[key])
            key = f"{value}*"  # as no number is written
        if key == value:
            continue
        of_biller = sa.and_(TABLE.c.biller_id == biller_id, TABLE.c.scheme == "vat")
        connection.execute(TABLE.update().where(of_biller).values(value_key=key))


def _key(value: str) -> str:
    """What ``app.people.identifiers.key_of`` said of a VAT number when this was written."""
    country = value[:2]
    rule = get_cc_module({"EL": "gr", "XI": "gb"}.get(country, country.lower()), "vat")
    if rule is None:
        return value
    try:
        digits = str(rule.validate(re.sub(r"[\s.\-/]", "", value).upper()))
    except ValidationError:
        return value
    country = {"GR": "EL", "XI": "GB"}.get(country, country)
    return digits[:12] if country == "CH" else country + digits.removeprefix(country)
