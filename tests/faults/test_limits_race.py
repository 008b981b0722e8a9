"""Of payments at once near a limit, in many processes on PostgreSQL, what fits is decided and never more: all of it.

``python -m tests.faults.limits --tries 1000`` prints the figures.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.faults.limits.race import race

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgres]


@pytest.fixture
def url(postgres_template: str) -> Iterator[str]:
    """A migrated database of its own: what races here is committed."""
    admin = create_engine(postgres_template, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE limits TEMPLATE template_quittance"))
    yield make_url(postgres_template).set(database="limits").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE limits WITH (FORCE)"))
    admin.dispose()


@pytest.mark.parametrize(
    "tries",
    [12, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])],
)
def test_no_limit_is_overspent_and_each_is_used_up(url: str, tries: int) -> None:
    found = race(url, tries=tries)
    assert (found.overspent, found.full, found.decided, found.broken) == (0, tries, tries, [])


def test_to_read_first_and_write_then_overspends(url: str) -> None:
    """So that the race before is one, and `quittance check` would tell."""
    found = race(url, tries=12, naive=True)
    assert found.overspent > 0
    assert found.broken == ["E1"]
