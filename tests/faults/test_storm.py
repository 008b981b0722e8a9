"""The storm's judge on made-up histories. The storm itself is one of the README's promises: test_promises.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.sandbox_bank.openbanking_uk import people, resources
from connectors.sandbox_bank.openbanking_uk.store import SCHEMA, Store
from tests.faults.storm.books import loose_ends, uk_orders_of
from tests.faults.storm.clocks import Change, counted, fair_weather, percentile, unknown_spans
from tests.faults.storm.compare import (
    MAY_PAY,
    NOT_DONE,
    NOT_KNOWN,
    PAID,
    Books,
    Heard,
    Order,
    OurPayment,
    Said,
    compare,
)

pytestmark = pytest.mark.faults

NOW = 1000.0
ORDER = Order(id="o1", end_to_end_id="pay1", amount_minor=500, decision="approved", debited_at=100.0)
PAYMENT = OurPayment(
    id="pay_1",
    end_to_end_id="pay1",
    invoice_id="inv_1",
    bill_id="bill_1",
    amount_minor=500,
    state="settled",
    steps=(("prepared", 90.0), ("settled", 101.0)),
    receipts=1,
)
BOOKS = Books(bills=frozenset({"bill_1"}), payments={"pay_1": PAYMENT})
HEARD = Heard(bills={"bill_1": "N1"}, decisions={"pay_1": 91.0}, settled_messages=frozenset({"pay_1"}))


def books_with(*payments: OurPayment) -> Books:
    return replace(BOOKS, payments={payment.id: payment for payment in payments})


def said(word: str, at: float, *, by: str = "page", bill: str = "") -> Heard:
    one = Said(by=by, word=word, asked_at=at, heard_at=at, payment="" if bill else "pay_1", bill=bill)
    return replace(HEARD, said=[one])


def test_a_payment_that_went_well_is_clean() -> None:
    heard = replace(
        HEARD, said=[*said(NOT_KNOWN, 99).said, *said(PAID, 101).said, *said(PAID, 101, by="API", bill="bill_1").said]
    )
    verdict = compare([ORDER], BOOKS, heard, now=NOW)
    assert verdict.clean
    assert str(verdict) == "double 0 lost 0 mis-told 0"


# --------------------------------------------------------------------------------------------------------------- double


def test_one_bill_debited_by_two_payments_is_double() -> None:
    second = replace(PAYMENT, id="pay_2", end_to_end_id="pay2")
    orders = [ORDER, replace(ORDER, id="o2", end_to_end_id="pay2")]
    heard = replace(HEARD, settled_messages=frozenset({"pay_1", "pay_2"}))
    assert str(compare(orders, books_with(PAYMENT, second), heard, now=NOW)) == "double 1 lost 0 mis-told 0"


def test_one_payment_debited_by_two_orders_is_double() -> None:
    assert len(compare([ORDER, replace(ORDER, id="o2")], BOOKS, HEARD, now=NOW).double) == 1


def test_a_debit_that_was_taken_back_is_not_double() -> None:
    back = replace(ORDER, id="o2", reversed_at=103.0)
    assert not compare([back, ORDER], BOOKS, HEARD, now=NOW).double


# ----------------------------------------------------------------------------------------------------- the banks' files


def test_at_a_uk_bank_a_consent_is_an_order_and_its_payment_the_money(tmp_path: Path) -> None:
    file = tmp_path / "bank.sqlite3"
    body = json.dumps({"Data": {"Initiation": {"EndToEndIdentification": "pay1"}}})
    store = Store(file, SCHEMA + resources.SCHEMA)
    with store.write() as bank:
        people.seed(bank)
        for consent, status in (("c1", "COND"), ("c2", "AUTH")):
            bank.execute(
                "INSERT INTO consent VALUES (?, 'albion', 'quittance', 'payment', ?, 500, 0, 0, ?, 0, 'jonas-current')",
                [consent, body, status],
            )
        bank.execute(
            "INSERT INTO payment VALUES ('p1', 'c1', 'payment', ?, 500, 'pay1', 'jonas-current', '[]', 0, 0)", [body]
        )
        bank.execute("INSERT INTO movement VALUES ('p1', 'debit', 100000), ('p1', 'reversal', 200000)")
    store.close()
    submitted = replace(ORDER, id="p1")
    approved = replace(ORDER, id="c2", decision="open", debited_at=None)
    assert uk_orders_of(file, now_s=150) == [submitted, approved]
    assert uk_orders_of(file, now_s=200) == [replace(submitted, reversed_at=200.0), approved]
    assert uk_orders_of(file, now_s=200, after=1) == [approved]


# ----------------------------------------------------------------------------------------------------------------- lost


@pytest.mark.parametrize(
    ("orders", "books", "heard"),
    [
        pytest.param([ORDER], replace(BOOKS, bills=frozenset()), HEARD, id="acknowledged bill"),
        pytest.param(
            [ORDER], BOOKS, replace(HEARD, decisions={"pay_1": 1.0, "pay_9": 1.0}), id="acknowledged decision"
        ),
        pytest.param([ORDER, replace(ORDER, id="o9", end_to_end_id="x")], BOOKS, HEARD, id="debit that nobody knows"),
        pytest.param([ORDER], books_with(replace(PAYMENT, receipts=0)), HEARD, id="no receipt"),
        pytest.param([ORDER], books_with(replace(PAYMENT, receipts=2)), HEARD, id="two receipts"),
        pytest.param([ORDER], BOOKS, replace(HEARD, settled_messages=frozenset()), id="biller not told"),
        pytest.param([ORDER], replace(BOOKS, undelivered={"msg_1": None}), HEARD, id="message forgotten"),
        pytest.param([ORDER], replace(BOOKS, late_work=["follow"]), HEARD, id="late work"),
        pytest.param([ORDER], replace(BOOKS, broken=["B1: …"]), HEARD, id="broken invariant"),
        pytest.param(
            [], books_with(replace(PAYMENT, state="unknown", steps=(), receipts=0)), HEARD, id="nobody looks after it"
        ),
        pytest.param(
            [],
            books_with(replace(PAYMENT, state="unknown", steps=(), receipts=0, work_due_at=NOW - 61)),
            HEARD,
            id="its work is late",
        ),
    ],
)
def test_what_is_lost_is_seen(orders: list[Order], books: Books, heard: Heard) -> None:
    assert str(compare(orders, books, heard, now=NOW)) == "double 0 lost 1 mis-told 0"


def test_a_receipt_that_is_about_to_be_written_is_not_lost() -> None:
    """Its work is due, and late work is seen for itself."""
    pending = replace(books_with(replace(PAYMENT, receipts=0)), receipts_to_come=frozenset({"pay_1"}))
    assert compare([ORDER], pending, HEARD, now=NOW).clean


@pytest.mark.parametrize("state", ["authorised", "submitting"])
def test_what_is_ours_to_submit_is_not_left_lying(state: str) -> None:
    forgotten = replace(PAYMENT, bank_id="albion", state=state, steps=(), receipts=0)
    assert str(compare([], books_with(forgotten), HEARD, now=NOW)) == "double 0 lost 1 mis-told 0"
    assert loose_ends([], books_with(replace(forgotten, work_due_at=NOW))) == [f"pay_1 {state}"]


def test_what_is_open_and_looked_after_waits() -> None:
    waiting = replace(PAYMENT, state="unknown", steps=(("unknown", 99.0),), receipts=0, work_due_at=NOW + 5)
    verdict = compare([ORDER], books_with(waiting), HEARD, now=NOW)
    assert verdict.clean
    assert verdict.waiting == {"unknown": 1}


# ------------------------------------------------------------------------------------------------------------- mis-told


@pytest.mark.parametrize(
    ("orders", "heard"),
    [
        pytest.param([ORDER], said(PAID, 99.9), id="page: paid before the debit"),
        pytest.param([ORDER], said(PAID, 99.9, by="webhook"), id="webhook: paid before the debit"),
        pytest.param([ORDER], said(PAID, 99.9, by="API", bill="bill_1"), id="API: bill paid before the debit"),
        pytest.param([ORDER], said(NOT_DONE, 99), id="not done, executed later"),
        pytest.param([ORDER], said(NOT_DONE, 200), id="not done, executed before"),
        pytest.param([ORDER], said(MAY_PAY, 95, by="bill page", bill="bill_1"), id="may be paid again, executed later"),
        pytest.param([replace(ORDER, amount_minor=501)], HEARD, id="another amount than the signed one"),
    ],
)
def test_what_the_bank_contradicts_is_mis_told(orders: list[Order], heard: Heard) -> None:
    assert str(compare(orders, BOOKS, heard, now=NOW)) == "double 0 lost 0 mis-told 1"


def test_settled_without_a_debit_is_mis_told() -> None:
    found = compare([replace(ORDER, debited_at=None)], BOOKS, HEARD, now=NOW).mis_told
    assert any("executed nothing" in sentence for sentence in found)


def test_settled_before_the_debit_is_mis_told() -> None:
    early = replace(PAYMENT, steps=(("settled", 99.0),))
    assert len(compare([ORDER], books_with(early), HEARD, now=NOW).mis_told) == 1


def test_closed_and_executed_is_lost_and_mis_told() -> None:
    closed = replace(PAYMENT, state="rejected", steps=(("rejected", 99.0),), receipts=0)
    assert str(compare([ORDER], books_with(closed), HEARD, now=NOW)) == "double 0 lost 1 mis-told 1"


def test_closed_in_between_and_corrected_is_mis_told() -> None:
    corrected = replace(PAYMENT, steps=(("rejected", 99.0), ("settled", 200.0)))
    assert str(compare([ORDER], books_with(corrected), HEARD, now=NOW)) == "double 0 lost 0 mis-told 1"


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param(said(NOT_DONE, 104), id="not done after it was taken back"),
        pytest.param(said(PAID, 104), id="still paid: the bank is asked again later"),
        pytest.param(said(MAY_PAY, 90, by="bill page", bill="bill_1"), id="offered before anything was decided"),
    ],
)
def test_what_could_not_be_known_better_is_not_mis_told(heard: Heard) -> None:
    verdict = compare([replace(ORDER, reversed_at=103.0)], BOOKS, heard, now=NOW)
    assert not verdict.mis_told
    assert verdict.reversed_later == 1


# --------------------------------------------------------------------------------------------------------------- clocks


def test_only_fair_weather_counts() -> None:
    changes = [
        Change(at=at, part=part, works=works)
        for at, part, works in [
            (0, "bank", True),
            (0, "worker1", True),
            (0, "worker2", True),
            (10, "worker1", False),  # the other one works
            (20, "bank", False),
            (30, "bank", True),
            (40, "worker2", False),
            (50, "worker1", True),
        ]
    ]
    fair = fair_weather(changes, until=60)
    assert fair == [(0, 20), (30, 40), (50, 60)]
    assert counted((15, 55), fair) == 20


def test_unknown_lasts_from_the_first_word_to_the_next_other_one() -> None:
    heard = [said(word, at).said[0] for word, at in [(NOT_KNOWN, 10), (NOT_KNOWN, 12), (PAID, 15), (NOT_KNOWN, 20)]]
    assert unknown_spans(heard, until=30) == ({"pay_1": [(10, 15)]}, {"pay_1": (20, 30)})


def test_percentiles() -> None:
    assert percentile([], 0.5) == 0
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(list(range(1, 101)), 0.99) == 99
