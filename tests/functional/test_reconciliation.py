"""What banks' statements and billers say, beside what we say: exact matches step payments, all else is listed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc.jwk import ECKey
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from app.audit.sequencer import number_waiting
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.errors import Conflict, Invalid, NotFound
from app.invariants import check
from app.journey.payments.looks import work_key
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.states import PaymentState
from app.journey.reconciliation import service
from app.journey.reconciliation.models import BillerWord, Statement, StatementEntry
from app.journey.reconciliation.read import Code, Difference, differences
from app.journey.reconciliation.service import Imported, import_statement
from app.people.models import ApiClient
from app.web.billers.limits import CONFIRMATION_BYTES_MAX, limiter
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.billers_world import World
from tests.support.camt import Line, camt
from tests.support.journey import Journey

OTHER = "AT611904300234573201"
BECAUSE = "our own account; the file comes from the bank's server"


def listed(journey: Journey) -> list[Difference]:
    with journey.services.reading() as uow:
        return differences(uow.session)


def codes(journey: Journey) -> list[str]:
    return [one.code for one in listed(journey) if one.because is None]


def credit(journey: Journey, payment_id: str, **changes: Any) -> Line:
    """The payment as it arrives on the biller's account."""
    payment = journey.payment(payment_id)
    values = {"end_to_end_id": payment.end_to_end_id, "amount": str(payment.amount), "reference": "R1"} | changes
    return Line(**values)


def take_in(journey: Journey, *lines: Line, account: str | None = None, **how: Any) -> Imported:
    content = camt(*lines, account=account or journey.biller.iban, **how)
    imported = import_statement(journey.services, content)
    number_waiting(journey.services)
    assert check(journey.services.engine, now=journey.clock()) == []
    return imported


def register(journey: Journey, iban: str = OTHER) -> None:
    with journey.services.unit_of_work() as uow:
        service.add_account(uow, iban=iban, because=BECAUSE)
        uow.commit()


def state(journey: Journey, payment_id: str) -> str:
    return journey.payment(payment_id).state


def last_line(journey: Journey, payment_id: str) -> PaymentHistory:
    with journey.services.reading() as uow:
        return uow.session.scalars(
            select(PaymentHistory)
            .where(PaymentHistory.payment_id == payment_id)
            .order_by(PaymentHistory.sequence.desc())
            .limit(1)
        ).one()


@pytest.fixture
def settled(journey: Journey) -> str:
    payment_id = journey.pay(journey.bill())
    journey.wait(600)
    assert journey.payment(payment_id).state == PaymentState.SETTLED
    return payment_id


@pytest.fixture
def at_bank(journey: Journey) -> str:
    """The customer has the link and has not come back."""
    payment_id = journey.confirm(journey.bill())
    journey.worker.run_until_idle()
    journey.browser.leave(payment_id)
    return payment_id


@pytest.fixture
def closed(journey: Journey) -> str:
    payment_id = journey.pay(journey.bill(), decision="refuse")
    journey.wait(600)
    assert journey.payment(payment_id).state == PaymentState.REJECTED
    return payment_id


# ----------------------------------------------------------------------------------------------- what a statement moves


def test_an_exact_credit_settles(journey: Journey, at_bank: str) -> None:
    stranger = Line(end_to_end_id="SOMEBODY-ELSE", amount="1.00", counterparty=OTHER)
    imported = take_in(journey, stranger, credit(journey, at_bank, counterparty=OTHER), message_id="M7")
    assert (imported.entries, imported.matched, imported.changed, imported.different) == (2, 1, 1, 0)
    payment = journey.payment(at_bank)
    assert (payment.state, payment.fact) == (PaymentState.SETTLED, "credited")
    history = last_line(journey, at_bank)
    assert (history.source, history.evidence) == ("statement", "camt:M7/R1")
    assert codes(journey) == []
    journey.worker.run_until_idle()
    assert journey.truth(at_bank) == "done"
    with journey.services.reading() as uow:
        (entry,) = uow.session.scalars(select(StatementEntry))
    assert entry.counterparty_iban is None  # the customer's account is none of our business


def test_a_bank_may_change_the_case(journey: Journey, at_bank: str) -> None:
    written = journey.payment(at_bank).end_to_end_id.upper()
    assert take_in(journey, credit(journey, at_bank, end_to_end_id=written)).changed == 1


def test_an_exact_debit_settles(journey: Journey, at_bank: str) -> None:
    register(journey)
    line = credit(journey, at_bank, indicator="DBIT", counterparty=journey.biller.iban)
    assert take_in(journey, line, account=OTHER).changed == 1
    assert journey.payment(at_bank).fact == "debited"
    # it arrives: nothing more to step, but the better fact
    assert take_in(journey, credit(journey, at_bank), message_id="M2").changed == 0
    assert journey.payment(at_bank).fact == "credited"


def test_what_we_closed_is_corrected(journey: Journey, closed: str) -> None:
    assert take_in(journey, credit(journey, closed)).changed == 1
    assert journey.payment(closed).state == PaymentState.SETTLED
    assert journey.invoice(journey.payment(closed).invoice_id).state == "paid"
    assert codes(journey) == []


def test_a_reversal_takes_back(journey: Journey, settled: str) -> None:
    assert take_in(journey, credit(journey, settled)).changed == 0
    back = credit(journey, settled, indicator="DBIT", reversal=True, reference="R2")
    assert take_in(journey, back, message_id="M2").changed == 1
    assert journey.payment(settled).state == PaymentState.REVERSED
    assert codes(journey) == []


def test_statements_may_come_in_the_wrong_order(journey: Journey, at_bank: str) -> None:
    """What takes back is listed and closes nothing; with the credit both have happened, as in the right order."""
    back = credit(journey, at_bank, indicator="DBIT", return_reason="AC04", reference="R2")
    assert take_in(journey, back, message_id="M2").changed == 0
    assert (state(journey, at_bank), codes(journey)) == ("awaiting_customer", [Code.TAKEN_BACK_NOT_BOOKED])
    assert take_in(journey, credit(journey, at_bank), message_id="M1").changed == 1
    assert (state(journey, at_bank), codes(journey)) == ("reversed", [])
    with journey.services.reading() as uow:
        lines = uow.session.execute(
            select(PaymentHistory.after, PaymentHistory.evidence)
            .where(PaymentHistory.payment_id == at_bank, PaymentHistory.source == "statement")
            .order_by(PaymentHistory.sequence)
        ).all()
    assert [tuple(line) for line in lines] == [("settled", "camt:M1/R1"), ("reversed", "camt:M2/R2")]
    assert journey.invoice(journey.payment(at_bank).invoice_id).state == "to_pay"
    journey.worker.run_until_idle()
    number_waiting(journey.services)
    assert check(journey.services.engine, now=journey.clock()) == []


def test_what_only_takes_back_never_closes_or_reverses(journey: Journey, at_bank: str) -> None:
    """Nobody may be told "not done" because of it: the money can still leave."""
    settled = journey.pay(journey.bill(number="2"))
    journey.wait(600)
    for payment_id, before in ((at_bank, "awaiting_customer"), (settled, "settled")):
        back = credit(journey, payment_id, indicator="DBIT", reversal=True, reference=f"back-{before}")
        assert take_in(journey, back, message_id=before).changed == 0
        assert state(journey, payment_id) == before
    assert codes(journey) == [Code.TAKEN_BACK_NOT_BOOKED] * 2


def test_a_reversal_that_we_say_ourselves_is_no_difference(journey: Journey, settled: str) -> None:
    take_in(journey, credit(journey, settled))
    for number in ("2", "3"):
        back = credit(journey, settled, indicator="DBIT", reversal=True, reference=f"R{number}")
        take_in(journey, back, message_id=f"M{number}")
    assert state(journey, settled) == "reversed"
    assert codes(journey) == [Code.TAKEN_BACK_NOT_BOOKED]  # once is what we say, and twice is not


def test_a_statement_of_anybodys_account_proves_nothing(journey: Journey, at_bank: str) -> None:
    """A file is only a file: the account must be the payee's, or one whose statements an operator vouches for."""
    closed = journey.pay(journey.bill(number="2"), decision="refuse")
    journey.wait(600)
    kinds: list[dict[str, Any]] = [
        {"indicator": "DBIT"},
        {"indicator": "DBIT", "counterparty": journey.biller.iban},
        {"indicator": "CRDT", "reversal": True},
    ]
    for payment_id, before in ((at_bank, "awaiting_customer"), (closed, "rejected")):
        for number, changes in enumerate(kinds):
            line = credit(journey, payment_id, **changes)
            imported = take_in(journey, line, account=OTHER, message_id=f"{before}-{number}")
            assert (imported.matched, imported.changed, imported.different) == (0, 0, 1)
            assert state(journey, payment_id) == before
    assert codes(journey) == [Code.NO_PROOF] * 6
    said = {one.sentence.partition("nothing: ")[2] for one in listed(journey)}
    assert said == {
        "it does not say to which account the money went.",
        f"nobody has registered {OTHER} (quittance reconcile account add).",
    }


def test_a_forged_reversal_moves_nothing(journey: Journey, settled: str) -> None:
    take_in(journey, credit(journey, settled))
    forged = credit(journey, settled, indicator="CRDT", reversal=True, counterparty=journey.biller.iban)
    for account in (OTHER, "DE02120300000000202051"):
        take_in(journey, forged, account=account, message_id=account[:2])
    assert (state(journey, settled), codes(journey)) == ("settled", [Code.NO_PROOF] * 2)
    register(journey)  # and there the execution itself is not booked
    assert service.believe(journey.services) == 0
    assert state(journey, settled) == "settled"
    assert codes(journey) == [Code.NO_PROOF, Code.TAKEN_BACK_NOT_BOOKED]


def test_a_debit_must_say_where_it_went(journey: Journey, at_bank: str) -> None:
    register(journey)
    line = credit(journey, at_bank, indicator="DBIT")
    assert take_in(journey, line, account=OTHER).changed == 0
    assert (state(journey, at_bank), codes(journey)) == ("awaiting_customer", [Code.NO_PROOF])


def test_an_account_that_is_registered_later_and_taken_out_again(journey: Journey, at_bank: str) -> None:
    line = credit(journey, at_bank, indicator="DBIT", counterparty=journey.biller.iban)
    take_in(journey, line, account=OTHER)
    register(journey)
    again = take_in(journey, line, account=OTHER)
    assert (again.known, again.changed, state(journey, at_bank)) == (True, 1, "settled")
    assert str(again).endswith("was imported before; 1 payments changed now.")
    assert codes(journey) == []
    with journey.services.unit_of_work() as uow:
        service.remove_account(uow, iban=OTHER.lower())
        uow.commit()
    assert (state(journey, at_bank), codes(journey)) == ("settled", [Code.NO_PROOF])


def test_what_is_no_account_is_not_registered(journey: Journey) -> None:
    register(journey)
    for iban, because, error in (
        (OTHER, BECAUSE, Conflict),
        ("AT611904300234573202", BECAUSE, Invalid),
        ("DE02120300000000202051", "mine", Invalid),
    ):
        with journey.services.unit_of_work() as uow, pytest.raises(error):
            service.add_account(uow, iban=iban, because=because)
    with journey.services.unit_of_work() as uow, pytest.raises(NotFound):
        service.remove_account(uow, iban="DE02120300000000202051")
    with journey.services.reading() as uow:
        assert [(one.iban, one.because) for one in service.list_accounts(uow.session)] == [(OTHER, BECAUSE)]


def test_the_same_file_twice_is_one_statement(journey: Journey, at_bank: str) -> None:
    line = credit(journey, at_bank)
    assert not take_in(journey, line).known
    again = take_in(journey, line)
    assert again.known
    assert str(again).endswith("was imported before; nothing was changed.")
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Statement)) == 1
        assert uow.session.scalar(select(func.count()).select_from(StatementEntry)) == 1


def test_a_notification_and_a_statement_tell_of_one_movement(journey: Journey, settled: str) -> None:
    take_in(journey, credit(journey, settled), kind="054", version="04")
    take_in(journey, credit(journey, settled), kind="053")
    take_in(journey, credit(journey, settled, reference=None), message_id="M3")
    assert codes(journey) == []


def test_a_reference_of_a_batch_is_not_a_second_movement(journey: Journey, settled: str) -> None:
    """Else one reversal would leave one of the two standing, and the customer told that it is paid."""
    take_in(journey, credit(journey, settled, reference="TX-1"), kind="054")
    take_in(journey, credit(journey, settled, reference=None, entry_reference="BATCH-9"))
    assert codes(journey) == []
    back = credit(journey, settled, indicator="DBIT", reversal=True, reference="R2")
    assert take_in(journey, back, message_id="M2").changed == 1
    assert (state(journey, settled), codes(journey)) == ("reversed", [])


def test_a_crash_between_storing_and_believing_is_healed(
    journey: Journey, at_bank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each payment is a transaction of its own, in the order of ids: what is done stays done, the rest comes later."""
    second = journey.confirm(journey.bill(number="2"))
    journey.worker.run_until_idle()
    journey.browser.leave(second)
    lines = [credit(journey, second, reference="R2"), credit(journey, at_bank)]
    content = camt(*lines, account=journey.biller.iban)
    assert at_bank < second
    believed = service._believe

    def crash(uow: UnitOfWork, payment_id: str) -> bool:
        if payment_id == second:
            raise ConnectionResetError
        return believed(uow, payment_id)

    monkeypatch.setattr(service, "_believe", crash)
    with pytest.raises(ConnectionResetError):
        import_statement(journey.services, content)
    assert (state(journey, at_bank), state(journey, second)) == ("settled", "awaiting_customer")
    assert codes(journey) == [Code.BOOKED_NOT_SETTLED]  # stored, and listed meanwhile
    with pytest.raises(ConnectionResetError):
        take_in(journey, message_id="any other")
    monkeypatch.undo()
    again = import_statement(journey.services, content)
    assert (again.known, again.changed, again.matched) == (True, 1, 2)
    assert (state(journey, second), codes(journey)) == ("settled", [])
    assert service.believe(journey.services) == 0


def test_what_cannot_take_the_step_yet_takes_it_later(journey: Journey) -> None:
    """Booked while it is still being given to its bank, as far as we know: not forgotten when that is over."""
    early = journey.confirm(journey.bill(amount="999.02"))
    assert state(journey, early) == "initiating"
    assert take_in(journey, credit(journey, early)).changed == 0
    assert (state(journey, early), codes(journey)) == ("initiating", [Code.BOOKED_NOT_SETTLED])
    for _ in range(8):
        journey.wait(130)
    assert state(journey, early) == "rejected"  # the bank gave no answer
    assert take_in(journey, message_id="any other").changed == 1
    assert (state(journey, early), codes(journey)) == ("settled", [])


def test_what_is_not_booked_yet_proves_nothing(journey: Journey, at_bank: str) -> None:
    imported = take_in(journey, credit(journey, at_bank, status="PDNG"))
    assert (imported.pending, imported.matched, imported.changed) == (1, 0, 0)
    assert journey.payment(at_bank).state == PaymentState.AWAITING_CUSTOMER


def test_what_is_no_statement_writes_nothing(journey: Journey, at_bank: str) -> None:
    for content, code in (
        (b"<a/>", "not-a-statement"),
        (camt(credit(journey, at_bank), account=journey.biller.iban, kind="052"), "not-final"),
    ):
        with pytest.raises(Invalid) as caught:
            import_statement(journey.services, content)
        assert caught.value.code == code
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Statement)) == 0


# -------------------------------------------------------------------------------------------------- what is listed


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "84.19"}, Code.OTHER_AMOUNT),
        ({"currency": "CHF"}, Code.OTHER_CURRENCY),
        ({"account": OTHER}, Code.OTHER_PAYEE),
        ({"indicator": "DBIT", "counterparty": "DE02120300000000202051"}, Code.OTHER_PAYEE),
        ({"indicator": "DBIT"}, Code.NO_PROOF),
        ({"indicator": "DBIT", "counterparty": "{payee}", "account": OTHER}, Code.NO_PROOF),
        ({"amount": "1.00", "indicator": "DBIT", "reversal": True}, Code.OTHER_AMOUNT),
    ],
)
def test_what_is_not_exact_moves_nothing_and_is_listed(
    journey: Journey, at_bank: str, changes: dict[str, Any], code: Code
) -> None:
    account = changes.get("account")
    changes = {
        name: value.replace("{payee}", journey.biller.iban) if isinstance(value, str) else value
        for name, value in changes.items()
        if name != "account"
    }
    line = credit(journey, at_bank, **changes)
    imported = take_in(journey, line, account=account)
    assert (imported.matched, imported.changed, imported.different) == (0, 0, 1)
    assert journey.payment(at_bank).state == PaymentState.AWAITING_CUSTOMER
    (found,) = listed(journey)
    assert (found.code, found.payment_id) == (code, at_bank)
    assert "awaiting_customer" in found.ours
    # the same booking in another file is the same difference
    take_in(journey, line, account=account, kind="054")
    assert [one.id for one in listed(journey)] == [found.id]


def test_a_booking_of_a_payment_that_we_do_not_know(journey: Journey) -> None:
    unknown = "PAY" + "0123456789abcdef" * 2
    assert take_in(journey, Line(end_to_end_id=unknown)).different == 1
    (found,) = listed(journey)
    assert (found.code, found.end_to_end_id, found.payment_id) == (Code.BOOKED_UNKNOWN, unknown, None)


def test_an_unreadable_booking_is_listed_unless_it_is_somebody_elses(journey: Journey) -> None:
    bad = Line(end_to_end_id=None, amount="1.234")
    assert take_in(journey, bad, Line(end_to_end_id="SOMEBODY", amount="1.234")).unreadable == 1
    (found,) = listed(journey)
    assert found.code == Code.UNREADABLE
    assert "more decimals" in found.sentence
    assert "Ntry[1] of camt.053 MSG-1" in found.theirs


def test_two_bookings_of_one_payment(journey: Journey, settled: str) -> None:
    take_in(journey, credit(journey, settled), credit(journey, settled, reference="R2"))
    (found,) = listed(journey)
    assert (found.code, found.payment_id) == (Code.BOOKED_TWICE, settled)
    # the bank mends it; that is listed, for the two may have been one that was told in two ways
    take_in(journey, credit(journey, settled, indicator="DBIT", reversal=True, reference="R3"), message_id="M2")
    assert (codes(journey), state(journey, settled)) == ([Code.TAKEN_BACK_NOT_REVERSED], "settled")


@pytest.mark.tampers
def test_booked_while_we_say_something_else(journey: Journey, settled: str) -> None:
    """Nothing of ours leads here: somebody changed the database, or a step was refused."""
    take_in(journey, credit(journey, settled))
    for to, code in ((PaymentState.REJECTED, Code.BOOKED_NOT_SETTLED), (PaymentState.SETTLED, None)):
        set_state(journey, settled, to)
        assert codes(journey) == ([code] if code else [])
    import_statement(
        journey.services,
        camt(
            credit(journey, settled, indicator="DBIT", reversal=True, reference="R2"),
            account=journey.biller.iban,
            message_id="M2",
        ),
    )
    set_state(journey, settled, PaymentState.SETTLED)
    assert codes(journey) == [Code.TAKEN_BACK_NOT_REVERSED]


def set_state(journey: Journey, payment_id: str, to: PaymentState) -> None:
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Payment).where(Payment.id == payment_id).values(state=to))
        uow.commit()


def test_settled_and_not_on_the_payees_account(journey: Journey, settled: str) -> None:
    def days(first: str, last: str) -> tuple[str, str]:
        return f"2026-11-{first}", f"2026-11-{last}"

    take_in(journey, account=OTHER, days=days("20", "30"))
    take_in(journey, days=days("23", "25"))
    take_in(journey, kind="054", days=days("23", "30"))
    assert codes(journey) == []  # no statement of this account goes far enough
    take_in(journey, days=days("26", "26"), message_id="M2")
    assert codes(journey) == []  # it may be booked before the day on which we were told
    take_in(journey, days=days("19", "20"), message_id="M0")
    (found,) = listed(journey)
    assert (found.code, found.payment_id) == (Code.SETTLED_NOT_BOOKED, settled)
    assert "without details" not in found.sentence
    bundle = Line(end_to_end_id=None).xml(new=True).replace("<TxDtls>", "<Btch><NbOfTxs>9</NbOfTxs></Btch><TxDtls>")
    import_statement(
        journey.services, camt(bundle, account=journey.biller.iban, message_id="M3", days=days("24", "24"))
    )
    assert "without details" in listed(journey)[0].sentence
    register(journey)
    line = credit(journey, settled, indicator="DBIT", counterparty=journey.biller.iban)
    take_in(journey, line, account=OTHER, message_id="M5")
    assert codes(journey) == [Code.SETTLED_NOT_BOOKED]  # it left, and has not arrived
    take_in(journey, credit(journey, settled), message_id="M4")
    assert codes(journey) == []


def test_what_is_accepted_is_listed_apart(journey: Journey) -> None:
    take_in(journey, Line(end_to_end_id="pay" + "0" * 32))
    (found,) = listed(journey)

    def accept(because: str, difference_id: str = found.id) -> None:
        with journey.services.unit_of_work() as uow:
            service.accept(uow, difference_id=difference_id, because=because)
            uow.commit()

    with pytest.raises(Invalid):
        accept("  no   ")
    with pytest.raises(NotFound):
        accept("a test payment of the bank", "dif_0000000000000000")
    accept("a test payment of the bank, mail of 23 November")
    with pytest.raises(Conflict):
        accept("a test payment of the bank")
    (noted,) = listed(journey)
    assert noted.because == "a test payment of the bank, mail of 23 November"
    assert (noted.id, "accepted 2026-11-23: a test" in str(noted)) == (found.id, True)
    # another one like it is open
    take_in(journey, Line(end_to_end_id="pay" + "1" * 32), message_id="M2")
    assert [one.because is None for one in listed(journey)] == [True, False]


# ------------------------------------------------------------------------------------------------------ asking banks


def test_asking_brings_the_next_look_forward(journey: Journey, settled: str) -> None:
    other = journey.confirm(journey.bill(number="2"))
    journey.worker.run_until_idle()
    journey.browser.leave(other)
    closed = journey.pay(journey.bill(number="3"), decision="refuse")
    journey.wait(600)
    never_left = journey.confirm(journey.bill(number="4"))
    token = journey.browser.token(f"/payments/{never_left}/leave")
    journey.browser.post(f"/payments/{never_left}/cancel", token=token, form={})
    journey.worker.run_until_idle()
    assert state(journey, never_left) == "cancelled"
    asked = len(bank_calls(journey))
    assert service.ask(journey.services) == 3
    assert len(bank_calls(journey)) == asked  # it calls no bank itself
    for payment_id in (settled, other, closed):
        assert run_at(journey, payment_id) <= journey.clock()
    assert run_at(journey, never_left) > journey.clock()  # nobody could approve it
    journey.wait(1)
    assert len(bank_calls(journey)) > asked
    journey.clock.tick(days=8)
    assert service.ask(journey.services, since=dt.timedelta(days=7)) == 1  # what has ended is past it


def bank_calls(journey: Journey) -> list[Any]:
    return list(journey.bank_wire.sent)


def run_at(journey: Journey, payment_id: str) -> Any:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(WorkRow.run_at).where(WorkRow.key == work_key(payment_id)))


# ---------------------------------------------------------------------------------------------------- the biller's word


WORD: dict[str, Any] = {"received": True, "amount": "84.20", "currency": "EUR", "booked_on": "2026-11-23"}


@pytest.fixture
def program(journey: Journey) -> Program:
    """The biller's program, with the scope for its word."""
    limiter.reset()
    biller = journey.biller
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(ApiClient, biller.client_id).scope = "payments:read payments:confirm"
        uow.commit()
    return Program(
        http=journey.app.test_client(),
        clock=journey.clock,
        biller_id=biller.id,
        iban=biller.iban,
        vat_id=biller.vat_id,
        client_id=biller.client_id,
        key=ECKey.import_key(biller.private_jwk),
    )


def say(program: Program, payment_id: str, *, scope: str = "payments:confirm", **body: Any) -> TestResponse:
    path = f"/api/v1/payments/{payment_id}/confirmation"
    return program.http.put(path, json=body, headers=program.bearer(scope))


def words(journey: Journey) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(BillerWord)) or 0


def test_a_biller_says_that_it_received_what_we_say(
    app: Flask, journey: Journey, settled: str, program: Program
) -> None:
    word = WORD | {"amount": str(journey.payment(settled).amount)}
    first = say(program, settled, **word)
    conforms(app, first)
    assert first.status_code == 200
    assert first.get_json() == {"payment_id": settled, "said_at": journey.clock().isoformat(), **word}
    journey.clock.tick(minutes=4)
    assert say(program, settled, **word).get_json() == first.get_json()
    assert (words(journey), codes(journey)) == (1, [])
    # the last word counts, and the first is kept
    bare = say(program, settled, received=False)
    conforms(app, bare)
    assert bare.get_json()["amount"] is None
    assert (words(journey), codes(journey)) == (2, [Code.BILLER_NOT_RECEIVED])
    say(program, settled, **word)
    assert (words(journey), codes(journey)) == (3, [])
    say(program, settled, **word | {"amount": "1.00"})
    assert codes(journey) == [Code.BILLER_OTHER_AMOUNT]


def test_a_billers_word_moves_nothing_but_the_next_look(journey: Journey, at_bank: str, program: Program) -> None:
    invoice_id = journey.payment(at_bank).invoice_id

    def seen() -> tuple[Any, ...]:
        payment, invoice = journey.payment(at_bank), journey.invoice(invoice_id)
        return payment.state, payment.fact, payment.sequence, payment.settled_at, invoice.state

    journey.clock.tick(seconds=61)
    before, due = seen(), run_at(journey, at_bank)
    assert say(program, at_bank, **WORD).status_code == 200
    assert seen() == before
    assert run_at(journey, at_bank) <= journey.clock() < due
    assert Code.BILLER_RECEIVED in codes(journey)
    journey.worker.run_until_idle()
    assert seen() == before  # the bank still waits for the customer


def test_a_biller_that_keeps_talking_does_not_make_us_ask_more(
    journey: Journey, at_bank: str, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WORDS_MOST", 6)
    journey.clock.tick(seconds=61)
    answers, asked = [], []
    for number in range(8):
        answers.append(say(program, at_bank, received=number % 2 == 0).status_code)
        journey.worker.run_until_idle()
        asked.append(len(bank_calls(journey)))
    assert answers == [200] * 6 + [409, 200]  # the very last one says what the sixth did
    assert len(set(asked)) == 1


def test_a_word_that_was_true_when_it_was_said(journey: Journey, at_bank: str, program: Program) -> None:
    say(program, at_bank, received=False)
    journey.clock.tick(minutes=1)
    take_in(journey, credit(journey, at_bank))
    assert codes(journey) == []
    say(program, at_bank, received=True)
    journey.clock.tick(minutes=1)
    take_in(journey, credit(journey, at_bank, indicator="DBIT", reversal=True, reference="R2"), message_id="M2")
    assert (journey.payment(at_bank).state, codes(journey)) == (PaymentState.REVERSED, [])


def test_only_its_own_payments(app: Flask, journey: Journey, settled: str, program: Program) -> None:
    stranger = World(journey.services, program.http).program(scope="payments:read payments:confirm")
    for who, payment_id in ((stranger, settled), (program, f"pay_{'0' * 32}"), (program, "x"), (program, "%00")):
        answer = say(who, payment_id, **WORD)
        conforms(app, answer)
        assert (answer.status_code, answer.get_json()["detail"]) == (404, "There is no such payment.")
    refused = say(program, settled, scope="payments:read", **WORD)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "insufficient-scope")
    assert words(journey) == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-well-formed"),
        (b"\xff", "not-well-formed"),
        (b"[" * 4000, "not-well-formed"),
        (b'{"received": NaN}', "not-well-formed"),
        (b'{"received": true, "received": false}', "not-well-formed"),
        (b"[]", "confirmation"),
        (b"{}", "confirmation"),
        (b"null", "confirmation"),
        (b'{"received": 1}', "confirmation"),
        (b'{"received": "true"}', "confirmation"),
        (b'{"received": true, "paid": true}', "confirmation"),
        (b'{"received": true, "amount": 84.2, "currency": "EUR"}', "confirmation"),
        (b'{"received": true, "amount": null, "currency": null}', "confirmation"),
        (b'{"received": true, "booked_on": "23.11.2026"}', "confirmation"),
        (b'{"received": true, "booked_on": "2026-02-30"}', "booked-on"),
        (b'{"received": true, "booked_on": "2026-11-23\\n"}', "booked-on"),
        (b'{"received": true, "amount": "84.20"}', "amount"),
        (b'{"received": true, "currency": "EUR"}', "amount"),
        (b'{"received": true, "amount": "84.2", "currency": "EUR"}', "amount"),
        (b'{"received": true, "amount": "84.20", "currency": "XXX"}', "amount"),
        (b'{"received": true, "amount": "84.20", "currency": "EUR\\n"}', "amount"),
        (b" " * (CONFIRMATION_BYTES_MAX + 1), "too-large"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_word_that_is_not_as_described(
    app: Flask, journey: Journey, program: Program, body: bytes, code: str
) -> None:
    answer = program.http.put(
        f"/api/v1/payments/pay_{'0' * 32}/confirmation",
        data=body,
        content_type="application/json",
        headers=program.bearer("payments:confirm"),
    )
    conforms(app, answer)
    assert (answer.status_code, answer.get_json()["code"]) == (413 if code == "too-large" else 422, code)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_word_in_another_format(app: Flask, journey: Journey, program: Program) -> None:
    path = f"/api/v1/payments/pay_{'0' * 32}/confirmation"
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/json", "Content-Encoding": "gzip"}):
        answer = program.http.put(path, data=b"{}", headers=program.bearer("payments:confirm") | headers)
        conforms(app, answer)
        assert answer.status_code == 415


# ------------------------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_commands(
    journey: Journey,
    at_bank: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from app.cli import machinery, main

    monkeypatch.setattr(machinery, "services", lambda: journey.services)

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["reconcile", *arguments])
        said = capsys.readouterr()
        return status, said.out + said.err

    assert run() == (0, "0 open differences, 0 accepted\n")
    file = tmp_path / "statement.xml"
    unknown = Line(end_to_end_id="pay" + "0" * 32, reference="R9")
    file.write_bytes(camt(credit(journey, at_bank), unknown, account=journey.biller.iban))
    summary = "camt.053 MSG-1: 2 bookings, 1 matched, 1 changed, 1 different, 0 pending, 0 unreadable"
    assert run("statement", str(file)) == (0, f"{file}: {summary}\n")
    status, said = run("statement", str(file))
    assert (status, "imported before" in said) == (0, True)
    status, said = run()
    assert (status, "booked-unknown" in said, "1 open differences" in said) == (1, True, True)
    (found,) = listed(journey)
    assert run("accept", found.id, "--because", "a test payment of the bank")[0] == 0
    status, said = run()
    assert (status, "accepted 2026-11-23" in said, "0 open differences, 1 accepted" in said) == (0, True, True)
    assert run("ask", "--since", "3") == (0, "1 payments are asked about next\n")
    accounts = ["account", "add", OTHER, "--because", BECAUSE]
    assert run(*accounts) == (0, "Registered. 0 payments changed by statements that were here already.\n")
    assert run(*accounts) == (1, f"quittance: {OTHER} is registered already.\n")
    assert run("account", "list") == (0, f"{OTHER}  since 2026-11-23: {BECAUSE}\n")
    assert run("account", "remove", OTHER)[0] == 0
    assert run("account", "list") == (0, "")
    file.write_bytes(b"<a/>")
    assert run("statement", str(file))[0] == 1
