"""In which order ways are shown: whatever verdicts there are, one order for all of them, and it keeps its promises."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from app.journey.matching.rules import Preferred, best, ranked
from connectors.money import Money
from consent.rules import Order, Reason, Why
from consent.verdicts import Bank, Bill, Next, Verdict, Way, by_set_up, by_single

BANKS = ("albion", "humber", "severn")
NAMES = {"albion": "Albion Bank", "humber": "the Humber", "severn": "Severn"}
STANDING = (Why.COVERS, Why.OVER_EACH, Why.OVER_PERIOD, Why.ACCESS_LOST, Why.STOPPING, Why.ENDED, Why.BANK_AWAY)
BILL = Bill(
    order=Order(payee_name="Trams", payee_iban="GB33BUKB20201555555555", amount=Money(1, "GBP")),
    biller_id="blr_1",
    due_on=dt.date(2026, 12, 8),
)


@st.composite
def verdicts(draw: st.DrawFn) -> list[Verdict]:
    """Of consents and banks: each consent and each bank once, as they come."""
    found = []
    for number, why in enumerate(draw(st.lists(st.sampled_from(STANDING), max_size=6))):
        bank_id = draw(st.sampled_from(BANKS))
        reasons = (Reason(why=why), Reason(why=Why.COVERS)) if why is Why.BANK_AWAY else (Reason(why=why),)
        found.append(Verdict(way=Way.STANDING, bank_id=bank_id, consent_id=f"con_{number}", reasons=reasons))
    for bank_id in draw(st.sets(st.sampled_from(BANKS))):
        bank = Bank(
            id=bank_id,
            currencies=draw(st.sampled_from([("GBP",), ("EUR",)])),
            journey=Why.REDIRECT,
            standing_in=draw(st.sampled_from([(), ("GBP",)])),
            is_away=draw(st.booleans()),
        )
        found += [by_single(BILL, bank, is_stopped=False), by_set_up(BILL, bank, is_stopped=False)]
    return found


preferences = (
    st.none()
    | st.builds(Preferred, st.just("con_1"), st.none())
    | st.builds(Preferred, st.none(), st.sampled_from(BANKS))
)
lasts = st.none() | st.sampled_from(BANKS)


@given(verdicts(), st.randoms(use_true_random=False), preferences, lasts)
def test_the_same_verdicts_have_one_order(
    found: list[Verdict], chance: object, preferred: Preferred | None, used_last: str | None
) -> None:
    mixed = list(found)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    once = ranked(found, preferred=preferred, used_last=used_last, names=NAMES)
    assert once == ranked(mixed, preferred=preferred, used_last=used_last, names=NAMES)
    assert once == ranked(once, preferred=preferred, used_last=used_last, names=NAMES)
    assert sorted(map(repr, once)) == sorted(map(repr, found))


@given(verdicts(), preferences, lasts)
def test_what_covers_comes_first_then_single_then_what_a_step_makes_one(
    found: list[Verdict], preferred: Preferred | None, used_last: str | None
) -> None:
    order = ranked(found, preferred=preferred, used_last=used_last, names=NAMES)
    kinds = [
        0
        if each.covers and each.way is Way.STANDING
        else 1
        if each.covers
        else 2
        if set(each.next) & {Next.RENEW, Next.GO_ON, Next.WAIT} or (each.way is Way.SET_UP and Next.SET_UP in each.next)
        else 3
        for each in order
    ]
    assert kinds == sorted(kinds)
    first = best(order)
    assert first == (order[0] if kinds and kinds[0] == 0 else None)
    if preferred is not None and any(
        preferred.is_(each) and kind == 0 for each, kind in zip(order, kinds, strict=True)
    ):
        assert preferred.is_(order[0])


def test_the_customers_own_then_the_one_used_last_then_what_answers_then_by_name() -> None:
    def covers(consent_id: str, bank_id: str, *, away: bool = False) -> Verdict:
        reasons = (Reason(why=Why.BANK_AWAY), Reason(why=Why.COVERS)) if away else (Reason(why=Why.COVERS),)
        return Verdict(way=Way.STANDING, bank_id=bank_id, consent_id=consent_id, reasons=reasons)

    one, two = covers("con_1", "severn"), covers("con_2", "humber", away=True)
    three, four = covers("con_3", "humber"), covers("con_4", "albion")
    found = [one, two, three, four]
    order = ranked(found, preferred=Preferred("con_2", None), used_last="humber", names=NAMES)
    assert order == (two, three, four, one)
    assert ranked(found, preferred=Preferred("con_1", None), used_last="humber", names=NAMES) == (one, three, two, four)
    assert ranked(found, preferred=None, used_last=None, names=NAMES) == (four, one, three, two)
