"""Any words of a bank in any order, believed by real payments: nobody is told "paid" without a word that says so.

The model knows three kinds of words and five lines of what they do. After each call all invariants of the product are
asked, so that claim, ledger, invoice, history and what others are told always fit each other.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.invariants import check
from app.journey.decisions.models import Decision
from app.journey.invoices import service as invoices
from app.journey.ledger.rules import Claim
from app.journey.payments import step as steps
from app.journey.payments.looks import follow_from
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason
from app.journey.payments.rules import end_to_end_id
from app.journey.payments.states import PAYMENT, PaymentState, PaymentStep, Source
from connectors.berlin_group.status import fact_of
from connectors.contract import BankStatus, Fact
from connectors.money import Money
from consent.base import new_id
from consent.models import Consent, Trip
from tests.faults.machines.house import BILLERS, CUSTOMER, DISCOUNT_UNTIL, House, house, runs
from tests.support.logged import log_all

pytestmark = pytest.mark.timeout(600)  # to make a run that breaks something short takes minutes

#: what a bank says when it is on its way, was executed, or will not be: all other words say nothing
GOING = ("PDNG", "ACTC", "ACCP", "ACFC", "ACSP", "ACWC", "ACWP")
PAID = ("ACSC", "ACCC")
NOT = ("RJCT", "CANC")
#: the rest of ISO 20022 ExternalPaymentTransactionStatus1Code, of pain.002 groups, and what programs put there
NOTHING = (
    *("RCVD", "PATC", "PART", "ACIS", "ACPD", "ACRJ", "BLCK", "CPUC", "PRES", "RVCM", "RVNC", "RCVC", "RVMC", "ACCR"),
    *("", " ", "null", "None", "0", "OK", "200", "paid", "SETTLED", "DEBITED", "settled", "rejected", "NOT_FOUND"),
)
#: as often each kind as the others, though most words say nothing
WORDS = st.sampled_from((GOING, PAID, NOT, NOTHING)).flatmap(st.sampled_from)
#: a word that looks like one of them: another case, spaces, a letter of another alphabet, more than the word
BENT = st.builds(
    lambda word, how: how(word),
    st.sampled_from((*PAID, *NOT, *GOING)),
    st.sampled_from(
        (
            str.lower,
            str.title,
            lambda word: f" {word}",
            lambda word: f"{word}\n",
            lambda word: word.replace("A", "А").replace("R", "Я"),  # Cyrillic
            lambda word: f"{word}{word}",
            lambda word: word[:-1],
            lambda word: f"{word}\0",
        )
    ),
).filter(lambda word: word not in (*GOING, *PAID, *NOT))
PICK = st.sampled_from(range(6))

OPEN, ACCEPTED, PAID_UP, CLOSED, BACK = "open", "accepted", "paid", "closed", "taken back"
STATES = {
    PaymentState.AWAITING_CUSTOMER: OPEN,
    PaymentState.UNKNOWN: OPEN,
    PaymentState.ACCEPTED: ACCEPTED,
    PaymentState.SETTLED: PAID_UP,
    PaymentState.REJECTED: CLOSED,
    PaymentState.CANCELLED: CLOSED,
    PaymentState.EXPIRED: CLOSED,
    PaymentState.REVERSED: BACK,
}


def after(stands: str, word: str, source: Source = Source.BANK) -> str:
    """What a payment is after a word, by hand. A statement may show the very execution that was taken back."""
    if word in GOING:
        return ACCEPTED if stands == OPEN else stands
    if word in PAID:
        return stands if stands == BACK and source is Source.STATEMENT else PAID_UP
    if word in NOT:
        return BACK if stands in (PAID_UP, BACK) else CLOSED
    return stands


@dataclass
class Seen:
    """One payment as its customer and biller would have heard of it."""

    invoice_id: str
    left: bool  #: its link was given to a browser
    stands: str = OPEN
    said: list[str] = field(default_factory=list)  #: every word of the bank about it, also by statement
    was: list[str] = field(default_factory=lambda: [OPEN])


class Words(RuleBasedStateMachine):
    steps_seen: ClassVar[set[tuple[str, str]]] = set()  #: of all runs: a machine that moves nothing finds nothing

    def __init__(self) -> None:
        super().__init__()
        self.house: House = house().open()
        self.seen: dict[str, Seen] = {}
        self.checked_at = -1

    # --------------------------------------------------------------------------------------------------- what there is

    @initialize(discount=st.sampled_from((0, 4_20)))
    def first_payments(self, discount: int) -> None:
        """One stands where each step begins."""
        self.discount = discount
        for number, word in ((1, "RCVD"), (2, "RCVD"), (3, "ACSP"), (4, "RJCT")):
            self.pay(number=number, left=number > 1)
            self._says(0, word)

    def _pay(self, invoice_id: str, *, left: bool) -> None:
        """A payment that the bank holds for its customer, as the verbs before have left it."""
        with self.house.begin() as uow:
            payment_id, money = new_id("pay"), Money(84_20 - self.discount, "EUR")
            same: dict[str, Any] = {"customer_id": CUSTOMER, "bank_id": "horizon"}
            claim = Claim(
                invoice_id=invoice_id,
                payment_id=payment_id,
                creditor=BILLERS[0],
                amount=money,
                discount=Money(self.discount, "EUR"),
            )
            invoices.claim(uow, claim)
            decision = Decision(
                id=new_id("dec"),
                invoice_id=invoice_id,
                verb="pay_now",
                currency="EUR",
                amount_minor=money.minor,
                discount_minor=self.discount,
                discount_until=DISCOUNT_UNTIL if self.discount else None,
                pay_on=uow.now.date(),
                payee_name="Lumen",
                payee_iban="FR1420041010050500013M02606",
                payment_id=payment_id,
                evidence={},
                psu={},
                decided_at=uow.now,
                **same,
            )
            consent = Consent(
                id=new_id("con"),
                kind="single",
                bank_consent_id=payment_id,
                sca={},
                created_at=uow.now,
                expires_at=uow.now + dt.timedelta(minutes=15),
                **same,
            )
            trip = Trip(
                id=new_id("trp"),
                state_hash=payment_id,
                redirect_uri="https://b",
                created_at=uow.now,
                left_at=uow.now if left else None,
                **same,
            )
            for row in (decision, consent, trip):
                uow.session.add(row)
                uow.session.flush()
            payment = Payment(
                id=payment_id,
                decision_id=decision.id,
                invoice_id=invoice_id,
                biller_id=BILLERS[0],
                consent_id=consent.id,
                trip_id=trip.id,
                currency="EUR",
                amount_minor=money.minor,
                end_to_end_id=end_to_end_id(payment_id),
                state=PaymentState.PREPARED,
                sequence=0,
                created_at=uow.now,
                updated_at=uow.now,
                **same,
            )
            uow.session.add(payment)
            steps.begin(uow, payment)
            steps.step(uow, payment, PaymentStep.INITIATE, source=Source.WORKER, evidence="bytes stored")
            steps.step(uow, payment, PaymentStep.STAGE, source=Source.BANK, evidence="bank:RCVD")
            steps.raise_fence(payment, consent.expires_at)
            follow_from(uow, payment, run_at=consent.expires_at)
            log_all(uow)
            uow.commit()
        self.seen[payment_id] = Seen(invoice_id, left)

    def _one(self, pick: int) -> tuple[str, Seen]:
        """The newest ones first: they are those to which something may still happen."""
        return list(reversed(self.seen.items()))[pick % len(self.seen)]

    def _stands(self, payment_id: str) -> str:
        ((state,),) = self.house.rows(f"SELECT state FROM payment WHERE id = '{payment_id}'")  # noqa: S608
        return STATES[PaymentState(state)]

    # ---------------------------------------------------------------------------------------------- what the bank says

    def _says(self, pick: int, word: str) -> None:
        payment_id, seen = self._one(pick)
        if not seen.left and word in GOING + PAID:
            return  # nobody can have approved what nobody has the link of; only a record is believed there (D5)
        before, expected = self.house.raw.total_changes, after(seen.stands, word)
        with self.house.begin() as uow:
            payment = uow.session.get_one(Payment, payment_id)
            fact = fact_of(word)
            reason = None
            if fact in (Fact.REJECTED, Fact.CANCELLED):
                reason = Reason.REVERSED if payment.state == PaymentState.SETTLED else Reason.REJECTED_BY_BANK
            status = BankStatus(
                transaction_status=word, fact=fact, reason_code=None, reason_text=None, raw_response=word.encode()
            )
            moved = steps.believe(uow, payment, status, reason=reason)
            uow.commit()
        assert moved is (expected != seen.stands)
        if not moved and word != "ACCC":  # "and has arrived" is news that moves nothing
            assert self.house.raw.total_changes == before, f"{word!r} moved something"
        seen.said.append(word)
        self._is_now(payment_id, expected)

    def _is_now(self, payment_id: str, expected: str) -> None:
        seen = self.seen[payment_id]
        assert self._stands(payment_id) == expected
        if expected != seen.stands:
            seen.was.append(expected)
            self.steps_seen.add((seen.stands, expected))
        seen.stands = expected
        self._notice_who_was_stopped()

    def _notice_who_was_stopped(self) -> None:
        """A payment whose bill turned out to be paid is taken back here, if its link was given to nobody."""
        for payment_id, seen in self.seen.items():
            if not seen.left and seen.stands == OPEN and self._stands(payment_id) == CLOSED:
                assert any(
                    other.stands == PAID_UP for other in self.seen.values() if other.invoice_id == seen.invoice_id
                )
                seen.stands = CLOSED
                seen.was.append(CLOSED)

    @rule(pick=PICK, words=st.lists(WORDS, min_size=1, max_size=4))
    def bank_says(self, pick: int, words: list[str]) -> None:
        for word in words:
            self._says(pick, word)

    @rule(pick=PICK, word=st.sampled_from((*PAID, "RJCT")), source=st.sampled_from((Source.STATEMENT, Source.OPERATOR)))
    def a_record_says(self, pick: int, word: str, source: Source) -> None:
        """A statement, or an operator who has it in writing (K5)."""
        payment_id, seen = self._one(pick)
        expected = after(seen.stands, word, source)
        with self.house.begin() as uow:
            payment = uow.session.get_one(Payment, payment_id)
            moved = steps.correct(uow, payment, fact_of(word), source=source, evidence="camt:M1/R1")
            uow.commit()
        assert moved is (expected != seen.stands)
        seen.said.append(word)
        self._is_now(payment_id, expected)

    @rule(pick=PICK, word=BENT, stale=st.booleans(), which=PICK)
    def a_stale_or_broken_bank_says(self, pick: int, word: str, stale: bool, which: int) -> None:
        """What it said before, in any order; or something like a word."""
        said = self._one(pick)[1].said
        assert fact_of(word) is Fact.UNKNOWN
        self._says(pick, said[which % len(said)] if stale and said else word)

    # ---------------------------------------------------------------------------------------------- what else there is

    @rule(
        pick=PICK,
        taken=st.sampled_from(
            (PaymentStep.LOSE_SIGHT, PaymentStep.NOT_FOUND, PaymentStep.EXPIRE, PaymentStep.CUSTOMER_CANCEL)
        ),
        minutes=st.sampled_from((0, 1, 16, 1440)),
    )
    def we_conclude(self, pick: int, taken: PaymentStep, minutes: int) -> None:
        """Our own reasoning, where its verbs let it: what has no link outside, or what the bank does not tell."""
        payment_id, seen = self._one(pick)
        self.house.clock.tick(minutes=minutes)
        with self.house.begin() as uow:
            payment = uow.session.get_one(Payment, payment_id)
            ours_alone = taken in (PaymentStep.EXPIRE, PaymentStep.CUSTOMER_CANCEL)
            past_fence = payment.fence_at is not None and uow.now > payment.fence_at
            if ours_alone is seen.left or (taken is PaymentStep.NOT_FOUND and not past_fence):
                return
            if not PAYMENT.allows(PaymentState(payment.state), taken):
                return
            evidence = "not_found" if taken is PaymentStep.NOT_FOUND else taken.name
            steps.step(uow, payment, taken, source=Source.WORKER, evidence=evidence, reason=Reason.NOT_APPROVED_IN_TIME)
            uow.commit()
        assert seen.stands == OPEN, "only what is open is closed by reasoning"
        self._is_now(payment_id, OPEN if taken is PaymentStep.LOSE_SIGHT else CLOSED)

    @rule(number=st.sampled_from(range(1, 6)), left=st.booleans())
    def pay(self, number: int, left: bool) -> None:
        """A new bill, or one that says that it may be paid again."""
        invoice_id = f"inv_{number}"
        there = self.house.rows(f"SELECT state FROM invoice WHERE id = '{invoice_id}'")  # noqa: S608
        if not there:
            self.house.bill(invoice_id, biller_id=BILLERS[0], amount=84_20, discount=self.discount)
        if not there or there == [("to_pay",)]:
            self._pay(invoice_id, left=left)

    # ----------------------------------------------------------------------------------------------- what always holds

    @invariant()
    def nobody_is_told_paid_without_a_word_that_says_so(self) -> None:
        for seen in self.seen.values():
            if PAID_UP in seen.was:
                assert set(seen.said) & set(PAID)
            if ACCEPTED in seen.was:
                assert set(seen.said) & set(GOING)
            if BACK in seen.was:
                assert set(seen.said) & set(NOT)

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        """What was closed or taken back may turn out to be paid, paid may be taken back; that is all."""
        for seen in self.seen.values():
            for before, later in zip(seen.was, seen.was[1:], strict=False):
                if before in (PAID_UP, CLOSED, BACK):
                    assert (before, later) in {(CLOSED, PAID_UP), (PAID_UP, BACK), (BACK, PAID_UP)}

    @precondition(lambda self: self.checked_at != self.house.raw.total_changes)
    @invariant()
    def the_product_finds_no_fault(self) -> None:
        broken = check(self.house.engine, now=self.house.clock.now, late=False)
        assert broken == [], [str(one) for one in broken]
        self.checked_at = self.house.raw.total_changes


def test_any_words_of_a_bank() -> None:
    run_state_machine_as_test(Words, settings=runs(20, steps=25, few=16))
    assert Words.steps_seen == {
        (OPEN, ACCEPTED),
        (OPEN, PAID_UP),
        (OPEN, CLOSED),
        (ACCEPTED, PAID_UP),
        (ACCEPTED, CLOSED),
        (PAID_UP, BACK),
        (CLOSED, PAID_UP),
        (BACK, PAID_UP),
    }
