"""For developers: draft the next migration from the tables. ``python -m app.draft_migration 0002 "what it does"``.

Read it and mend it by hand: a changed CHECK constraint is not seen. Migrations import none of our models, so our
column types are written as what they are in the database.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic import command
from sqlalchemy import DateTime, String

import app.tables
from app.db.engine import make_engine
from app.db.migrate import config_for, upgrade
from consent.base import Id, UTCDateTime


def plain(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Our types as SQLAlchemy's own."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return f"sa.{DateTime.__name__}(timezone=True)"
    if kind == "type" and isinstance(item, Id):
        return f"sa.{String.__name__}({item.length})"
    return False


def main(revision: str, message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{Path(folder) / 'draft.sqlite3'}")
        upgrade(engine)
        with engine.connect() as connection:
            config = config_for(connection)
            config.attributes.update(metadata=app.tables.metadata, render_item=plain)
            command.revision(config, message=message, autogenerate=True, rev_id=revision)
        engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:3])
