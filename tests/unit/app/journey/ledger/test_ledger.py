"""The memo ledger: exact lines for each posting, and an account that is a lock never gives what it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.db.unit_of_work import UnitOfWork
from app.journey.ledger import service as ledger
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.ledger.rules import Claim
from tests.unit.app.journey.house import House, money

CLAIM = Claim(invoice_id="inv_1", payment_id="pay_1", creditor="blr_1", amount=money(9700), discount=money(200))
OTHER = Claim(invoice_id="inv_1", payment_id="pay_2", creditor="blr_1", amount=money(9900), discount=money(0))

Post = Callable[[UnitOfWork, Claim], object]
BILLED = [("billed:inv_1", "due:inv_1", 9900), ("billed:inv_1", "biller:blr_1", -9900)]
INITIATED = [
    ("initiated:pay_1", "due:inv_1", -9900),
    ("initiated:pay_1", "inflight:pay_1", 9700),
    ("initiated:pay_1", "adjust:blr_1", 200),
]


def post(house: House, *steps: tuple[Post, Claim]) -> list[object]:
    """Each in a transaction of its own."""
    done = []
    for what, claim in steps:
        with house.begin() as uow:
            done.append(what(uow, claim))
            uow.commit()
    return done


def lines(house: House) -> list[tuple[str, str, int]]:
    """All of them, with what each must say of itself; one bill only."""
    with house.services.reading() as uow:
        found = uow.session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)).all()
    for entry in found:
        kind, _, about = entry.posting.partition(":")
        assert entry.kind == kind
        assert entry.currency == "EUR"
        assert entry.invoice_id == "inv_1"
        assert entry.payment_id == (None if kind == "billed" else about)
        assert entry.at == house.clock.now
    return entries(house)


def entries(house: House) -> list[tuple[str, str, int]]:
    with house.services.reading() as uow:
        found = uow.session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)).all()
    return [(entry.posting, entry.account, entry.amount_minor) for entry in found]


def locks(house: House) -> dict[str, int]:
    with house.services.reading() as uow:
        rows = uow.session.scalars(select(LedgerBalance)).all()
    assert {row.currency for row in rows} == {"EUR"}
    return {row.account: row.balance_minor for row in rows}


def test_a_bill_is_due_and_billed(house: House) -> None:
    house.bill()
    assert lines(house) == BILLED
    assert locks(house) == {"due:inv_1": 9900}


def test_a_payment_holds_what_it_took_and_lets_go_of_all_of_it(house: House) -> None:
    house.bill()
    post(house, (ledger.initiate, CLAIM))
    assert locks(house) == {"due:inv_1": 0, "inflight:pay_1": 9700}
    post(house, (ledger.release, CLAIM))
    assert lines(house) == [
        *BILLED,
        *INITIATED,
        ("released:pay_1", "due:inv_1", 9900),
        ("released:pay_1", "inflight:pay_1", -9700),
        ("released:pay_1", "adjust:blr_1", -200),
    ]
    assert locks(house) == {"due:inv_1": 9900, "inflight:pay_1": 0}


def test_settled_and_reversed_the_discount_is_open_anew(house: House) -> None:
    house.bill()
    assert post(house, (ledger.initiate, CLAIM), (ledger.settle, CLAIM), (ledger.reverse, CLAIM))[2] == 9900
    assert lines(house) == [
        *BILLED,
        *INITIATED,
        ("settled:pay_1", "inflight:pay_1", -9700),
        ("settled:pay_1", "settled:blr_1", 9700),
        ("reversed:pay_1", "due:inv_1", 9900),
        ("reversed:pay_1", "settled:blr_1", -9700),
        ("reversed:pay_1", "adjust:blr_1", -200),
    ]
    assert locks(house) == {"due:inv_1": 9900, "inflight:pay_1": 0}


def test_corrected_while_the_bill_is_free_it_is_paid_after_all(house: House) -> None:
    house.bill()
    done = post(house, (ledger.initiate, CLAIM), (ledger.release, CLAIM), (ledger.correct, CLAIM))
    assert done[2] == 9900
    assert lines(house)[-3:] == [
        ("corrected:pay_1", "due:inv_1", -9900),
        ("corrected:pay_1", "settled:blr_1", 9700),
        ("corrected:pay_1", "adjust:blr_1", 200),
    ]
    assert locks(house) == {"due:inv_1": 0, "inflight:pay_1": 0}
    assert on_top(house) == [0]
    assert post(house, (ledger.reverse, CLAIM)) == [9900]
    assert locks(house) == {"due:inv_1": 9900, "inflight:pay_1": 0}


@pytest.mark.parametrize("other_is_settled", [True, False])
def test_corrected_when_another_payment_has_the_bill_the_biller_owes_it_back(
    house: House, other_is_settled: bool
) -> None:
    house.bill()
    post(house, (ledger.initiate, CLAIM), (ledger.release, CLAIM), (ledger.initiate, OTHER))
    if other_is_settled:
        post(house, (ledger.settle, OTHER))
    held = locks(house)
    assert post(house, (ledger.correct, CLAIM)) == [0]
    assert lines(house)[-2:] == [("corrected:pay_1", "settled:blr_1", 9700), ("corrected:pay_1", "adjust:blr_1", -9700)]
    assert locks(house) == held
    assert on_top(house) == [9700, 0]
    assert post(house, (ledger.reverse, CLAIM)) == [0]
    assert lines(house)[-2:] == [("reversed:pay_1", "settled:blr_1", -9700), ("reversed:pay_1", "adjust:blr_1", 9700)]
    assert locks(house) == held


def on_top(house: House) -> list[int]:
    """Of each payment of the bill."""
    with house.services.reading() as uow:
        return [each.on_top for each in ledger.positions_of(uow.session, "inv_1").values()]


def apply(house: House) -> bool:
    with house.begin() as uow:
        done = ledger.apply_overpaid(uow, invoice_id="inv_1")
        uow.commit()
    return done > 0


def overpaid(house: House) -> None:
    """One payment was executed on top of another one, which has the bill."""
    house.bill()
    house.bill("2")
    post(house, (ledger.initiate, CLAIM), (ledger.release, CLAIM), (ledger.initiate, OTHER), (ledger.correct, CLAIM))


def test_what_was_paid_on_top_pays_the_bill_when_the_other_payment_ends_without_effect(house: House) -> None:
    overpaid(house)
    assert apply(house) is False  # the other one still has it
    post(house, (ledger.release, OTHER))
    before = len(entries(house))
    assert apply(house) is True
    assert entries(house)[before:] == [
        ("applied:pay_1", "due:inv_1", -9900),
        ("applied:pay_1", "adjust:blr_1", 9900),
    ]
    assert locks(house)["due:inv_1"] == 0
    assert locks(house)["due:inv_2"] == 9900
    assert house.balances() == {"due:inv_2": 9900, "settled:blr_1": 9700, "adjust:blr_1": 200, "biller:blr_1": -19800}
    assert apply(house) is False
    assert on_top(house) == [0, 0]
    assert post(house, (ledger.reverse, CLAIM)) == [9900]
    assert locks(house)["due:inv_1"] == 9900


def test_what_was_taken_back_pays_nothing(house: House) -> None:
    overpaid(house)
    post(house, (ledger.reverse, CLAIM), (ledger.release, OTHER))
    assert apply(house) is False
    assert locks(house)["due:inv_1"] == 9900


def test_of_two_that_were_paid_on_top_the_one_that_was_decided_earlier_pays(house: House) -> None:
    third = replace(OTHER, payment_id="pay_3")
    house.bill()
    for claim in (CLAIM, third):
        post(house, (ledger.initiate, claim), (ledger.release, claim))
    post(house, (ledger.initiate, OTHER), (ledger.correct, third), (ledger.correct, CLAIM), (ledger.release, OTHER))
    assert apply(house) is True
    assert entries(house)[-1] == ("applied:pay_1", "adjust:blr_1", 9900)
    assert apply(house) is False
    assert locks(house)["due:inv_1"] == 0


def test_a_bill_that_is_free_and_was_never_paid_on_top_stays_free(house: House) -> None:
    house.bill()
    post(house, (ledger.initiate, CLAIM), (ledger.release, CLAIM), (ledger.correct, CLAIM), (ledger.reverse, CLAIM))
    assert apply(house) is False
    assert locks(house)["due:inv_1"] == 9900


PART = Claim(invoice_id="inv_1", payment_id="pay_2", creditor="blr_1", amount=money(4000), discount=money(0))
REST = Claim(invoice_id="inv_1", payment_id="pay_3", creditor="blr_1", amount=money(5900), discount=money(0))


def closed_beside_a_paid_part(house: House) -> None:
    """A payment of the whole bill was closed, and then a part of it paid."""
    house.bill()
    post(house, (ledger.initiate, CLAIM), (ledger.release, CLAIM), (ledger.initiate, PART), (ledger.settle, PART))


def test_what_happened_after_all_pays_what_others_have_left_and_is_owed_back_beyond_that(house: House) -> None:
    closed_beside_a_paid_part(house)
    before = len(entries(house))
    assert post(house, (ledger.correct, CLAIM)) == [5900]
    assert entries(house)[before:] == [
        ("corrected:pay_1", "due:inv_1", -5900),
        ("corrected:pay_1", "settled:blr_1", 9700),
        ("corrected:pay_1", "adjust:blr_1", -3800),
    ]
    assert on_top(house) == [3800, 0]
    # the part is taken back: as much more of the bill is paid, with the discount that was decided
    assert post(house, (ledger.reverse, PART)) == [4000]
    assert apply(house)
    assert entries(house)[-2:] == [("applied:pay_1", "due:inv_1", -4000), ("applied:pay_1", "adjust:blr_1", 4000)]
    assert on_top(house) == [0, 0]
    assert house.balances() == {"settled:blr_1": 9700, "adjust:blr_1": 200, "biller:blr_1": -9900}


def test_what_comes_alive_again_takes_what_others_have_left_and_what_they_leave_later(house: House) -> None:
    closed_beside_a_paid_part(house)
    post(house, (ledger.initiate, REST))
    assert post(house, (ledger.reclaim, CLAIM)) == [0]
    assert locks(house)["inflight:pay_1"] == 0
    with house.begin() as uow, pytest.raises(ledger.Overdrawn, match="inflight:pay_1"):
        ledger.settle(uow, CLAIM)  # it holds nothing: it corrects
    post(house, (ledger.release, REST))
    assert post(house, (ledger.reclaim, CLAIM)) == [5900]
    assert locks(house) == {"due:inv_1": 0, "inflight:pay_1": 5900, "inflight:pay_2": 0, "inflight:pay_3": 0}
    before = len(entries(house))
    assert post(house, (ledger.settle, CLAIM)) == [5900]
    assert entries(house)[before:] == [
        ("settled:pay_1", "inflight:pay_1", -5900),
        ("settled:pay_1", "settled:blr_1", 9700),
        ("settled:pay_1", "adjust:blr_1", -3800),
    ]
    with house.begin() as uow, pytest.raises(ledger.Overdrawn, match="inflight:pay_1"):
        ledger.reclaim(uow, CLAIM)  # it is executed


def test_what_took_some_of_a_bill_lets_go_of_just_that(house: House) -> None:
    closed_beside_a_paid_part(house)
    assert post(house, (ledger.reclaim, CLAIM), (ledger.release, CLAIM)) == [5900, 5900]
    assert entries(house)[-2:] == [
        ("released:pay_1:1", "due:inv_1", 5900),
        ("released:pay_1:1", "inflight:pay_1", -5900),
    ]
    assert locks(house) == {"due:inv_1": 5900, "inflight:pay_1": 0, "inflight:pay_2": 0}


def test_executed_taken_back_and_executed_again_each_is_posted_once(house: House) -> None:
    house.bill()
    post(house, (ledger.initiate, CLAIM), (ledger.settle, CLAIM), (ledger.reverse, CLAIM))
    assert post(house, (ledger.correct, CLAIM), (ledger.reverse, CLAIM)) == [9900, 9900]
    assert post(house, (ledger.reclaim, CLAIM), (ledger.settle, CLAIM)) == [9900, 9900]
    postings = dict.fromkeys(name for name, _, _ in entries(house))
    assert list(postings)[2:] == [
        "settled:pay_1",
        "reversed:pay_1",
        "corrected:pay_1:1",
        "reversed:pay_1:1",
        "reclaimed:pay_1:1",
        "settled:pay_1:2",
    ]
    assert house.balances() == {"settled:blr_1": 9700, "adjust:blr_1": 200, "biller:blr_1": -9900}
    for verb in (ledger.settle, ledger.correct, ledger.release, ledger.reclaim):
        with house.begin() as uow, pytest.raises(ledger.Overdrawn):
            verb(uow, CLAIM)


def test_what_its_biller_took_off_is_a_refund_owed_where_nobody_else_has_any_of_it(house: House) -> None:
    house.bill()
    post(house, (ledger.initiate, CLAIM), (ledger.release, CLAIM))
    with house.begin() as uow:
        ledger.credit(uow, correction_id="cor_1", invoice_id="inv_1", creditor="blr_1", amount=money(5000))
        uow.commit()
    assert post(house, (ledger.reclaim, CLAIM)) == [9900]
    assert house.balances()["owed:inv_1"] == -5000
    assert post(house, (ledger.settle, CLAIM)) == [9900]
    assert on_top(house) == [0]


def test_nothing_is_reversed_that_was_not_executed(house: House) -> None:
    house.bill()
    post(house, (ledger.initiate, CLAIM))
    with house.begin() as uow, pytest.raises(ledger.Overdrawn, match="settled:blr_1"):
        ledger.reverse(uow, CLAIM)


@pytest.mark.parametrize(
    ("taken", "named"),
    [
        (ledger.initiate, "due:inv_1"),  # two tabs
        (ledger.settle, "inflight:pay_2"),
        (ledger.release, "inflight:pay_2"),
    ],
)
def test_nothing_is_taken_that_is_not_there(house: House, taken: Post, named: str) -> None:
    house.bill()
    post(house, (ledger.initiate, CLAIM))
    before, held = lines(house), locks(house)
    with house.begin() as uow, pytest.raises(ledger.Overdrawn, match=named):
        taken(uow, OTHER)
    assert (lines(house), locks(house)) == (before, held)


def test_one_cent_less_than_is_due_is_too_little(house: House) -> None:
    house.bill(minor=9899)
    with house.begin() as uow, pytest.raises(ledger.Overdrawn):
        ledger.initiate(uow, CLAIM)
    assert locks(house) == {"due:inv_1": 9899}


def test_an_account_that_was_never_opened_holds_nothing(house: House) -> None:
    house.bill()
    with house.services.reading() as uow:
        assert ledger.balance_of(uow.session, "due:inv_1") == 9900
        assert ledger.balance_of(uow.session, "due:inv_2") == 0
