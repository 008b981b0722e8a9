"""What pages write differently from what we store."""

from __future__ import annotations

import pytest

from app.web.customers.filters import sort_code


def test_a_british_account_is_written_as_people_there_know_it() -> None:
    assert sort_code("GB33BUKB20201555555555") == ("20-20-15", "55555555")


@pytest.mark.parametrize("account", ["FR7630006000011234567890189", "GB33BUKB2020155555555", ""])
def test_no_other_account_has_a_sort_code(account: str) -> None:
    assert sort_code(account) is None
