"""How much may be promised, what is late and when, and what is an account number."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban

from app.journey.refunds.rules import (
    ACCOUNT_KEPT,
    MISSING_AFTER,
    IbanFault,
    checked_iban,
    erased_at,
    first_day_not_over,
    is_late,
    left_to_promise,
    may_be_missing,
    missing_from,
    promised_days,
    sent_days,
)
from app.journey.refunds.states import REFUND, WHOSE, AccountStep, By, RefundState, RefundStep
from tests.unit.app.journey.answers.test_answer_rules import MANY, ZONES, days, moments

pytestmark = pytest.mark.timeout(1800)  # a hundred thousand times each in `make test-long`

IBANS = ("FR7630006000011234567890189", "GB33BUKB20201555555555", "DE89370400440532013000", "NO9386011117947")


@given(owed=st.integers(0, 10**9), promised=st.lists(st.integers(1, 10**9), max_size=5))
@MANY
def test_whatever_is_promised_one_after_the_other_is_never_more_than_is_owed(owed: int, promised: list[int]) -> None:
    standing = 0
    for amount in promised:
        if amount <= left_to_promise(owed_minor=owed, standing_minor=standing):
            standing += amount
    assert standing <= owed
    assert left_to_promise(owed_minor=owed, standing_minor=standing) == owed - standing
    assert left_to_promise(owed_minor=owed, standing_minor=owed + 1) == 0  # what is owed has shrunk


@given(sent_on=days, later=st.integers(-3, 30), state=st.sampled_from(RefundState))
@MANY
def test_only_what_was_sent_days_ago_is_missing(sent_on: dt.date, later: int, state: RefundState) -> None:
    today = sent_on + dt.timedelta(days=later)
    found = may_be_missing(state, sent_on=sent_on, today=today)
    assert found == (state is RefundState.SENT and later >= MISSING_AFTER.days)
    assert not found or today >= missing_from(sent_on)
    assert not may_be_missing(state, sent_on=None, today=today)


@given(promised_by=days, now=moments, zone=st.sampled_from(ZONES))
@MANY
def test_nobody_is_told_that_it_is_late_before_their_own_day_is_over(
    promised_by: dt.date, now: dt.datetime, zone: str
) -> None:
    today = now.astimezone(ZoneInfo(zone)).date()
    if promised_by < first_day_not_over(now):
        assert is_late(RefundState.PROMISED, promised_by=promised_by, today=today)
    for state in set(RefundState) - {RefundState.PROMISED}:
        assert not is_late(state, promised_by=promised_by, today=today)


@given(now=moments, zone=st.sampled_from(ZONES), companys=st.sampled_from(ZONES))
@MANY
def test_today_can_be_said_wherever_the_company_is(now: dt.datetime, zone: str, companys: str) -> None:
    today, theirs = (now.astimezone(ZoneInfo(each)).date() for each in (zone, companys))
    for first, last in (promised_days(today), sent_days(today)):
        assert first <= theirs <= last


@given(now=moments, promised_by=days)
@MANY
def test_an_account_is_there_when_it_is_needed_and_not_for_ever(now: dt.datetime, promised_by: dt.date) -> None:
    erase_at = erased_at(now, promised_by=promised_by)
    assert erase_at >= now + ACCOUNT_KEPT
    assert erase_at.date() >= promised_by + ACCOUNT_KEPT
    assert erase_at.date() <= max(now.date(), promised_by) + ACCOUNT_KEPT


@pytest.mark.parametrize("right", IBANS)
def test_an_iban_is_taken_however_it_is_written(right: str) -> None:
    written = {right, right.lower(), iban.format(right), f"IBAN: {iban.format(right)}", f" {right}\t", "-".join(right)}
    assert {checked_iban(each) for each in written} == {right}


@given(right=st.sampled_from(IBANS), data=st.data())
@MANY
def test_no_slip_of_one_sign_is_taken(right: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(4, len(right) - 1))
    other = data.draw(st.sampled_from([each for each in "0123456789" if each != right[at]]))
    wrong = right[:at] + other + right[at + 1 :]
    if right[at].isdigit():
        assert checked_iban(wrong) is IbanFault.DIGITS
    assert checked_iban(right[:-1]) is IbanFault.LENGTH
    assert checked_iban(right + "1") is IbanFault.LENGTH


@given(typed=st.text(max_size=60))
@MANY
def test_anything_can_be_typed(typed: str) -> None:
    found = checked_iban(typed)
    assert isinstance(found, IbanFault) or (found.isascii() and found.isalnum() and iban.is_valid(found))


@pytest.mark.parametrize(
    "typed", ["", "12345678", "20-20-15 55555555", "XX7630006000011234567890189", "F", "FR", "FRAB"]
)
def test_what_begins_with_no_country_of_ibans_is_none(typed: str) -> None:
    assert checked_iban(typed) in (IbanFault.NONE, IbanFault.COUNTRY)


def test_each_step_has_its_owner_and_only_customers_say_what_has_come() -> None:
    assert set(WHOSE) == {"promise", *RefundStep, *AccountStep}
    of = {after: {WHOSE[step] for (_, step), each in REFUND.table.items() if each is after} for after in RefundState}
    assert of[RefundState.RECEIVED] == of[RefundState.MISSING] == {By.CUSTOMER}
    assert of[RefundState.SENT] == of[RefundState.WITHDRAWN] == {By.BILLER}
