"""What a code is, whoever types it; and when an address is good for a way back."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from app.people import recovery
from app.people.models import Customer
from app.people.recovery import ADDRESS_SETTLES, WORDS_LIFE, may_recover
from app.people.recovery_codes import ALPHABET, GROUP, LENGTH, drawn, plain
from app.people.safe_words import bare
from app.people.word_lists import WORDS

NOW = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
SIGNS = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)


def test_a_code_has_a_hundred_bits_in_five_groups() -> None:
    code = drawn()
    assert [len(group) for group in code.split("-")] == [GROUP] * (LENGTH // GROUP)
    assert len(ALPHABET) ** LENGTH == 2**100
    assert len({drawn() for _ in range(200)}) == 200


@given(
    signs=SIGNS, marks=st.lists(st.sampled_from(["", " ", "-", "\u2011", "\u2013", ".", "\u00a0", "\n"]), max_size=20)
)
def test_it_is_the_same_however_it_is_typed(signs: str, marks: list[str]) -> None:
    """In small letters, in other groups, and with letters for the digits that they look like."""
    spread = "".join(sign + mark for sign, mark in zip(signs, [*marks, *[""] * LENGTH], strict=False))
    for typed in (signs, spread, spread.lower(), spread.replace("0", "O"), spread.replace("1", "l").replace("0", "o")):
        assert plain(typed) == signs


@given(typed=st.text(max_size=40))
def test_what_is_no_code_is_none(typed: str) -> None:
    found = plain(typed)
    assert found is None or (len(found) == LENGTH and set(found) <= set(ALPHABET))


@given(signs=SIGNS, at=st.integers(0, LENGTH - 1), other=st.sampled_from(ALPHABET))
def test_one_wrong_sign_is_another_code(signs: str, at: int, other: str) -> None:
    changed = signs[:at] + other + signs[at + 1 :]
    assert (plain(changed) == plain(signs)) is (changed == signs)


@given(
    proven=st.booleans(),
    changed=st.none() | st.timedeltas(min_value=dt.timedelta(days=-30), max_value=dt.timedelta()),
)
def test_an_address_is_good_once_it_was_shown_and_a_week_old(proven: bool, changed: dt.timedelta | None) -> None:
    customer = Customer(
        email_proven_at=NOW - dt.timedelta(days=40) if proven else None,
        email_changed_at=NOW + changed if changed is not None else None,
    )
    settled = changed is None or -changed >= ADDRESS_SETTLES
    assert may_recover(customer, now=NOW) is (proven and settled)


def test_three_words_are_harder_to_guess_than_eight_digits() -> None:
    """In five tries and ten minutes; and no two words of a list are the same once they are typed."""
    for words in WORDS.values():
        few = len({bare(word) for word in words})
        assert few == len(words)
        assert few * (few - 1) * (few - 2) > 10**8
    assert recovery.WORD_COUNT == 3
    assert recovery.TRIES == 5
    assert dt.timedelta(minutes=10) >= WORDS_LIFE
