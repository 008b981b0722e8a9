"""How a bill meets what its customer allowed: every reason is reached, says what it has to, and has a next step."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from connectors.capabilities import UNSURE, Alignment, Period
from connectors.money import Money
from consent.rules import Frame, Limit, Order, Reason, Why, days_at, first_breach
from consent.states import STANDING_OVER, StandingState
from consent.verdicts import NEXT, Bank, Bill, Held, Next, Verdict, Way, by_set_up, by_single, under_consent

NOW = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
NOVEMBER, DECEMBER = dt.date(2026, 11, 1), dt.date(2026, 12, 1)
IBAN = "GB33BUKB20201555555555"
FRAME = Frame(
    payee_name="Trams",
    payee_iban=IBAN,
    currency="GBP",
    each_minor=50_00,
    limits=(Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=80_00),),
    begins_on=dt.date(2026, 10, 1),
    ends_on=dt.date(2027, 10, 31),
)
HELD = Held(
    consent_id="con_1",
    biller_id="blr_1",
    frame=FRAME,
    state=StandingState.AUTHORISED,
    days="UTC",
    used={},
    knows_account=True,
)
BANK = Bank(id="albion", currencies=("GBP", "EUR"), journey=Why.REDIRECT, standing_in=("GBP",))
BILL = Bill(
    order=Order(payee_name="Trams", payee_iban=IBAN, amount=Money(40_00, "GBP")),
    biller_id="blr_1",
    due_on=dt.date(2026, 12, 8),
)


def bill(**changes: Any) -> Bill:
    order = {name: changes.pop(name) for name in ("payee_name", "payee_iban", "amount") if name in changes}
    return replace(BILL, order=replace(BILL.order, **order), **changes)


def verdict(
    *,
    bill: Bill = BILL,
    held: dict[str, Any] | None = None,
    frame: dict[str, Any] | None = None,
    bank: dict[str, Any] | None = None,
    now: dt.datetime = NOW,
    is_stopped: bool = False,
    is_later: bool = False,
) -> Verdict:
    mine = replace(HELD, frame=replace(FRAME, **frame or {}), **held or {})
    there = replace(BANK, **bank or {})
    return under_consent(bill, mine, there, now=now, is_stopped=is_stopped, is_later=is_later)


def pounds(minor: int) -> Money:
    return Money(minor, "GBP")


#: of a standing consent: what is different → the first reason
STANDING_CASES: list[tuple[dict[str, Any], Reason]] = [
    ({}, Reason(why=Why.COVERS)),
    ({"frame": {"ends_on": None}}, Reason(why=Why.COVERS)),
    ({"frame": {"ends_on": dt.date(2026, 12, 8)}}, Reason(why=Why.COVERS)),
    ({"frame": {"ends_on": dt.date(2026, 12, 7)}}, Reason(why=Why.ENDS_BEFORE, day=dt.date(2026, 12, 7))),
    ({"frame": {"ends_on": dt.date(2026, 12, 7)}, "bill": bill(due_on=None)}, Reason(why=Why.COVERS)),
    ({"bank": {"is_away": True}}, Reason(why=Why.BANK_AWAY)),
    ({"is_stopped": True}, Reason(why=Why.STOPPED_ALL)),
    ({"is_later": True}, Reason(why=Why.COVERS)),
    ({"held": {"off_session": False}}, Reason(why=Why.COVERS)),
    ({"is_later": True, "held": {"off_session": False}}, Reason(why=Why.IN_SESSION_ONLY)),
    ({"bill": bill(biller_id=None)}, Reason(why=Why.UNVERIFIED)),
    ({"bill": bill(payee_iban="GB94BARC10201530093459")}, Reason(why=Why.PAYEE_DIFFERS, name="Trams")),
    ({"bill": bill(biller_id="blr_2")}, Reason(why=Why.PAYEE_DIFFERS, name="Trams")),
    ({"bill": bill(payee_name="Trams Ltd")}, Reason(why=Why.PAYEE_NAME_DIFFERS, name="Trams")),
    ({"bill": bill(amount=Money(40_00, "EUR"))}, Reason(why=Why.CURRENCY, name="GBP")),
    (
        {"frame": {"currency": "EUR"}, "bill": bill(amount=Money(40_00, "EUR")), "bank": {"currencies": ("GBP",)}},
        Reason(why=Why.CURRENCY_NOT_TAKEN, name="EUR"),
    ),
    ({"bank": {"is_removed": True}}, Reason(why=Why.REMOVED)),
    ({"bank": {"reaches_payee": False}}, Reason(why=Why.PAYEE_UNREACHABLE)),
    ({"bank": {"is_usable": False}}, Reason(why=Why.BANK_UNUSABLE)),
    ({"frame": {"ends_on": dt.date(2026, 11, 23)}}, Reason(why=Why.ENDED, day=dt.date(2026, 11, 23))),
    ({"held": {"state": StandingState.REVOKING}}, Reason(why=Why.STOPPING)),
    ({"held": {"state": StandingState.STOPPED_AT_BANK}}, Reason(why=Why.ACCESS_LOST)),
    ({"held": {"state": StandingState.PREPARED}}, Reason(why=Why.WAITING)),
    ({"held": {"state": StandingState.AWAITING}}, Reason(why=Why.WAITING)),
    ({"held": {"knows_account": False}}, Reason(why=Why.ACCOUNT_UNKNOWN)),
    ({"bill": bill(amount=pounds(62_40))}, Reason(why=Why.OVER_EACH, amount=pounds(50_00), over=pounds(12_40))),
    (
        {"bill": bill(amount=pounds(80_01)), "frame": {"each_minor": 90_00}},
        Reason(why=Why.OVER_PERIOD_ALWAYS, amount=pounds(80_00), over=pounds(1), period=Period.MONTH),
    ),
    (
        {"held": {"used": {(0, NOVEMBER): 72_00}}},
        Reason(why=Why.OVER_PERIOD, amount=pounds(8_00), over=pounds(32_00), day=DECEMBER, period=Period.MONTH),
    ),
    (
        {"held": {"used": {(0, NOVEMBER): 72_00}}, "frame": {"ends_on": dt.date(2026, 11, 30)}},
        Reason(
            why=Why.OVER_LAST_PERIOD,
            amount=pounds(8_00),
            over=pounds(32_00),
            day=dt.date(2026, 11, 30),
            period=Period.MONTH,
        ),
    ),
    (
        {"held": {"refused": {(0, NOVEMBER)}}},
        Reason(why=Why.BANK_COUNTS_OTHERWISE, day=DECEMBER, period=Period.MONTH),
    ),
    ({"held": {"refused": {(0, dt.date(2026, 10, 1))}}}, Reason(why=Why.COVERS)),
    (
        {
            "held": {"used": {(0, dt.date(2027, 6, 1)): 80_00}, "days": UNSURE},
            "now": dt.datetime(2027, 6, 30, 23, 30, tzinfo=dt.UTC),
        },
        Reason(why=Why.RESETTING, period=Period.MONTH),
    ),
    ({"frame": {"begins_on": dt.date(2026, 11, 25)}}, Reason(why=Why.NOT_YET, day=dt.date(2026, 11, 25))),
]
ALLOWED = {Why.COVERS, Why.ENDS_BEFORE, Why.BANK_AWAY}


@pytest.mark.parametrize(("what", "expected"), STANDING_CASES, ids=[case[1].why.value for case in STANDING_CASES])
def test_a_bill_under_a_standing_consent(what: dict[str, Any], expected: Reason) -> None:
    found = verdict(**what)
    assert (found.way, found.bank_id, found.consent_id) == (Way.STANDING, "albion", "con_1")
    assert found.reasons[0] == expected
    assert found.covers is (expected.why in ALLOWED)
    assert found.covers is (Why.COVERS in {reason.why for reason in found.reasons})
    assert found.next == NEXT[expected.why]


#: of a bank without any consent: what is different → the first reasons of a single payment and of a new consent
BANK_CASES: list[tuple[dict[str, Any], Bill, Reason, Reason]] = [
    ({}, BILL, Reason(why=Why.REDIRECT), Reason(why=Why.CAN_SET_UP)),
    ({"journey": Why.SIGN_IN_FIRST}, BILL, Reason(why=Why.SIGN_IN_FIRST), Reason(why=Why.CAN_SET_UP)),
    ({"journey": Why.IN_APP}, BILL, Reason(why=Why.IN_APP), Reason(why=Why.CAN_SET_UP)),
    ({"standing_in": ()}, BILL, Reason(why=Why.REDIRECT), Reason(why=Why.NOT_OFFERED)),
    ({}, bill(amount=Money(1, "EUR")), Reason(why=Why.REDIRECT), Reason(why=Why.NOT_OFFERED)),
    ({}, bill(biller_id=None), Reason(why=Why.REDIRECT), Reason(why=Why.UNVERIFIED)),
    *(
        (changes, BILL, reason, reason)
        for changes, reason in (
            ({"currencies": ("EUR",)}, Reason(why=Why.CURRENCY_NOT_TAKEN, name="GBP")),
            ({"is_removed": True}, Reason(why=Why.REMOVED)),
            ({"reaches_payee": False}, Reason(why=Why.PAYEE_UNREACHABLE)),
            ({"is_usable": False}, Reason(why=Why.BANK_UNUSABLE)),
            ({"is_away": True, "is_usable": False}, Reason(why=Why.BANK_UNUSABLE)),
        )
    ),
]


@pytest.mark.parametrize(("changes", "asked", "single", "new"), BANK_CASES)
def test_a_bill_at_a_bank_without_a_consent(changes: dict[str, Any], asked: Bill, single: Reason, new: Reason) -> None:
    here = replace(BANK, **changes)
    for found, expected, way in (
        (by_single(asked, here, is_stopped=False), single, Way.SINGLE),
        (by_set_up(asked, here, is_stopped=False), new, Way.SET_UP),
    ):
        assert (found.way, found.bank_id, found.consent_id, found.reasons[0]) == (way, "albion", None, expected)
        assert found.covers is (found.reasons[0].why in {Why.REDIRECT, Why.SIGN_IN_FIRST, Why.IN_APP})
        assert found.next == NEXT[expected.why]


def test_where_nothing_is_agreed_yet_nothing_can_be_paid() -> None:
    for bank in (BANK, replace(BANK, is_away=True)):
        found = by_set_up(BILL, bank, is_stopped=False)
        assert not found.covers
        assert Next.SET_UP in found.next
        assert Next.PAY not in found.next


def test_a_bank_that_is_away_may_be_tried() -> None:
    found = by_single(BILL, replace(BANK, is_away=True), is_stopped=False)
    assert [reason.why for reason in found.reasons] == [Why.BANK_AWAY, Why.REDIRECT]
    assert found.covers
    assert found.next == (Next.OTHER_BANK, Next.LATER, Next.PAY)


def test_who_stopped_everything_is_told_so_first() -> None:
    for found in (
        by_single(BILL, replace(BANK, is_removed=True), is_stopped=True),
        by_set_up(BILL, replace(BANK, is_removed=True), is_stopped=True),
        verdict(bank={"is_removed": True}, is_stopped=True),
    ):
        assert [reason.why for reason in found.reasons] == [Why.STOPPED_ALL, Why.REMOVED]
        assert not found.covers
        assert found.next == (Next.LIFT_STOP,)


def test_every_reason_is_reached_and_has_a_next_step() -> None:
    reached = {case[1].why for case in STANDING_CASES}
    reached |= {reason.why for case in BANK_CASES for reason in case[2:]}
    assert reached == set(Why)
    assert NEXT.keys() == set(Why)
    assert all(NEXT.values())
    assert {step for steps in NEXT.values() for step in steps} == set(Next)


def test_what_lasts_decides_what_to_do_next() -> None:
    """To wait until the month is over helps nobody whose bill is over the limit of one payment."""
    found = verdict(bill=bill(amount=pounds(50_01)), held={"used": {(0, NOVEMBER): 72_00}}, bank={"is_away": True})
    assert [reason.why for reason in found.reasons] == [Why.OVER_EACH, Why.OVER_PERIOD]
    assert found.next == (Next.SINGLE, Next.SET_UP_HIGHER)


def test_another_company_with_the_same_account_is_named_once() -> None:
    found = verdict(bill=bill(biller_id="blr_2", payee_iban="GB94BARC10201530093459", payee_name="Other"))
    assert found.reasons == (Reason(why=Why.PAYEE_DIFFERS, name="Trams"),)


@pytest.mark.parametrize("state", sorted(STANDING_OVER))
def test_one_that_is_over_has_no_verdict(state: StandingState) -> None:
    with pytest.raises(ValueError, match="con_1 is over"):
        verdict(held={"state": state})


def test_a_verdict_is_exact_to_the_second() -> None:
    midnight = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    used = {"used": {(0, NOVEMBER): 80_00}}
    assert not verdict(held=used, now=midnight - dt.timedelta(seconds=1)).covers
    assert verdict(held=used, now=midnight).covers
    # in summer an unsure hour comes first
    june: dict[str, Any] = {"used": {(0, dt.date(2027, 6, 1)): 80_00}, "days": UNSURE}
    july = dt.datetime(2027, 7, 1, tzinfo=dt.UTC)
    assert not verdict(held=june, now=july - dt.timedelta(seconds=1)).covers
    assert verdict(held=june, now=july).covers


def test_where_the_new_period_has_begun_by_one_clock_there_is_no_day_to_wait_for() -> None:
    """It would be today, and today it is already."""
    july = dt.datetime(2027, 7, 1, tzinfo=dt.UTC)
    for held in (
        {"used": {(0, dt.date(2027, 6, 1)): 80_00}, "days": UNSURE},
        {"refused": {(0, dt.date(2027, 6, 1))}, "days": UNSURE},
    ):
        found = verdict(held=held, now=july - dt.timedelta(minutes=1))
        assert found.reasons == (Reason(why=Why.RESETTING, period=Period.MONTH),)
        assert found.next == (Next.LATER, Next.SINGLE)
        assert verdict(held=held, now=july).covers
        before = verdict(held=held, now=july - dt.timedelta(hours=1, seconds=1))
        assert before.reasons[0].day == dt.date(2027, 7, 1)


def test_what_is_refused_in_the_first_minute_of_a_period_names_no_day_either() -> None:
    """What is claimed looks a moment around: a full period of yesterday then speaks against it."""
    midnight = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    margin = dt.timedelta(seconds=90)
    used = {(0, NOVEMBER): 80_00}
    for moment, expected in (
        (midnight + dt.timedelta(seconds=30), Reason(why=Why.RESETTING, period=Period.MONTH)),
        (midnight - dt.timedelta(seconds=30), Reason(why=Why.RESETTING, period=Period.MONTH)),
        (
            midnight - dt.timedelta(seconds=91),
            Reason(why=Why.OVER_PERIOD, amount=pounds(0), over=pounds(40_00), day=DECEMBER, period=Period.MONTH),
        ),
    ):
        days = days_at(moment, days="UTC", margin=margin)
        assert first_breach(FRAME, BILL.order, days=days, used=used) == expected


def test_nobody_is_sent_to_agree_on_what_their_bank_does_not_offer() -> None:
    """Of another company's bill in another currency a new consent would help as little as the one that is there."""
    euros = bill(biller_id="blr_2", amount=Money(40_00, "EUR"))
    found = verdict(bill=euros)
    assert [reason.why for reason in found.reasons] == [Why.CURRENCY, Why.PAYEE_DIFFERS]
    assert found.next == (Next.SINGLE,)
    no_more = verdict(bill=bill(amount=pounds(62_40)), bank={"standing_in": ()})
    assert (no_more.reasons[0].why, no_more.next) == (Why.OVER_EACH, (Next.SINGLE,))
    own = verdict(bill=bill(biller_id=None, amount=pounds(62_40)))
    assert own.next == (Next.SINGLE,)
