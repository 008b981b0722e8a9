"""Each word of the standard, and the rule for all others."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connectors.berlin_group.status import FACTS, fact_of
from connectors.contract import Fact
from tests.support.shared import shared_folder


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ("RCVD PATC", Fact.WAITING),
        ("PDNG ACTC ACCP ACFC ACSP ACWC ACWP", Fact.ACCEPTED),
        ("ACSC", Fact.DEBITED),
        ("ACCC", Fact.CREDITED),
        ("RJCT", Fact.REJECTED),
        ("CANC", Fact.CANCELLED),
        ("PART acsc Acsc SETTLED PAID", Fact.UNKNOWN),
    ],
)
def test_every_word_says_one_thing(words: str, fact: Fact) -> None:
    assert {fact_of(word) for word in words.split()} == {fact}


@given(st.text().filter(lambda word: word not in FACTS))
def test_a_word_that_is_not_listed_is_unknown(word: str) -> None:
    assert fact_of(word) is Fact.UNKNOWN


@pytest.mark.shared
def test_the_table_is_the_official_enum_without_bulk() -> None:
    file = shared_folder() / "specs/berlingroup/psd2-api_v1.3.12-2022-07-06.yaml"
    official = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    assert {*FACTS, "PART"} == set(official["components"]["schemas"]["transactionStatus"]["enum"])
