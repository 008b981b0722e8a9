"""Dynamic linking: the challenge is of one order; and a ceremony is taken once, by who began it, in time."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid, NotAllowed
from app.people import passkeys
from app.people.models import Ceremony, Customer
from app.people.passkeys import CEREMONY_LIFE, RelyingParty, linked_challenge
from consent.base import hash_of
from tests.conftest import Clock
from tests.unit.conftest import Begin

PARTY = RelyingParty("localhost", "http://localhost:8000")
ORDER = {
    "invoice": "inv_1",
    "payee": "Lumen Énergie",
    "iban": "FR1420041010050500013M02606",
    "amount_minor": "8420",
    "currency": "EUR",
    "reference": "2026-1",
    "day": "2026-11-23",
    "bank": "horizon",
}


def test_the_challenge_is_the_hash_of_salt_and_canonical_order() -> None:
    canonical = b'salt\n{"amount_minor":"8420","bank":"horizon","payee":"Lumen \\u00c9nergie"}'
    order = {"payee": "Lumen Énergie", "bank": "horizon", "amount_minor": "8420"}
    assert linked_challenge("salt", order) == hashlib.sha256(canonical).digest()


def test_the_order_of_the_fields_does_not_matter() -> None:
    assert linked_challenge("s", ORDER) == linked_challenge("s", dict(reversed(ORDER.items())))


@given(field=st.sampled_from(sorted(ORDER)), value=st.text())
def test_it_changes_with_every_field(field: str, value: str) -> None:
    changed = linked_challenge("s", {**ORDER, field: value})
    assert (changed == linked_challenge("s", ORDER)) is (value == ORDER[field])


@pytest.mark.parametrize("field", ORDER)
def test_it_changes_when_a_field_is_left_out(field: str) -> None:
    less = {name: value for name, value in ORDER.items() if name != field}
    assert linked_challenge("s", less) != linked_challenge("s", ORDER)


def test_it_changes_with_the_salt() -> None:
    assert linked_challenge("s", ORDER) != linked_challenge("t", ORDER)


def start(begin: Begin) -> str:
    """A sign-in ceremony that was handed out. Returns its token."""
    with begin() as uow:
        token = passkeys.start_sign_in(uow, party=PARTY).ceremony
        uow.commit()
    return token


def refuse(begin: Begin, token: object, *, purpose: str = "sign-in", customer_id: str | None = None) -> None:
    with begin() as uow, pytest.raises(Invalid) as refused:
        passkeys.take(uow, token=token, purpose=purpose, customer_id=customer_id)
    assert refused.value.code == "ceremony-over"


def test_a_ceremony_is_taken_once_and_its_token_is_nowhere(begin: Begin) -> None:
    token = start(begin)
    with begin() as uow:
        taken = passkeys.take(uow, token=token, purpose="sign-in", customer_id=None)
        assert taken.token_hash == hash_of(token) != token
        uow.commit()
    refuse(begin, token)


@pytest.mark.parametrize("token", [None, 7, "", "unknown", ["x"], "x" * 10_000])
def test_what_is_no_token_takes_nothing(begin: Begin, token: object) -> None:
    start(begin)
    refuse(begin, token)


def test_it_serves_no_other_purpose_and_no_other_person(begin: Begin, customer: Customer) -> None:
    token = start(begin)
    refuse(begin, token, purpose="pay")
    refuse(begin, token, customer_id=customer.id)


def test_after_five_minutes_it_is_over_and_forgotten(begin: Begin, clock: Clock) -> None:
    token = start(begin)
    clock.now += CEREMONY_LIFE
    refuse(begin, token)
    with begin() as uow:
        passkeys.drop_stale(uow)
        uow.commit()
        assert uow.session.query(Ceremony).count() == 0


def test_a_challenge_lives_until_its_last_moment(begin: Begin, clock: Clock) -> None:
    token = start(begin)
    clock.now += CEREMONY_LIFE
    clock.tick(microseconds=-1)
    with begin() as uow:
        passkeys.drop_stale(uow)
        taken = passkeys.take(uow, token=token, purpose="sign-in", customer_id=None)
    assert taken.expires_at == clock.now + dt.timedelta(microseconds=1)


def test_user_verification_is_always_asked_for(begin: Begin) -> None:
    with begin() as uow:
        asked = passkeys.start_sign_in(uow, party=PARTY).public_key
        made = passkeys.start_making(
            uow, party=PARTY, purpose="sign-up", name="C", email="c@example.org", customer_id=None, data={}
        ).public_key
    assert asked["userVerification"] == "required"
    assert made["authenticatorSelection"]["userVerification"] == "required"
    assert made["authenticatorSelection"]["residentKey"] == "required"


def test_without_a_passkey_nothing_can_be_signed(begin: Begin, customer: Customer) -> None:
    with begin() as uow, pytest.raises(NotAllowed) as refused:
        passkeys.start_payment(uow, party=PARTY, customer_id=customer.id, order=ORDER)
    assert refused.value.code == "no-passkey"
