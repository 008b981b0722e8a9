"""What is decided is what was signed, and that is what the bill says at this moment; else nothing is written."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from sqlalchemy import event, select, update

from app.db.unit_of_work import HEAD_START
from app.db.work import WorkRow
from app.demo.authenticator import Authenticator
from app.errors import AppError, Conflict, Invalid, NotAllowed, NotFound
from app.journey.consents.models import CustomerBank
from app.journey.decisions import service as decisions
from app.journey.decisions.models import Decision
from app.journey.decisions.read import bank_used_last
from app.journey.decisions.service import Decided
from app.journey.intake import own_bills
from app.journey.invoices import own
from app.journey.invoices.models import Invoice
from app.people import passkeys
from app.people.customers import add_customer
from app.people.models import Ceremony, Customer
from app.people.passkeys import RelyingParty, linked_challenge
from app.people.sessions import SignedIn
from connectors.contract import PsuContext
from connectors.profile import BankProfile
from tests.support.factories import open_account
from tests.support.installation import BASE_URL
from tests.support.pictures import epc_text
from tests.unit.app.journey.house import IBAN, PROFILE, House

PARTY = RelyingParty("localhost", BASE_URL)
PSU = PsuContext(ip_address="192.0.2.7", user_agent="a browser")
ORDER = {
    "invoice": "inv_1",
    "payee": "Lumen SA",
    "iban": IBAN,
    "amount_minor": "9700",
    "currency": "EUR",
    "reference": "RF 1",
    "day": "2026-11-23",
    "bank": "horizon",
}


def passkey_of(house: House, customer: Customer) -> Authenticator:
    made = Authenticator(BASE_URL)
    with house.begin() as uow:
        started = passkeys.start_making(uow, party=PARTY, purpose="new", customer_id=None, email="e", name="n", data={})
        ceremony = passkeys.take(uow, token=started.ceremony, purpose="new", customer_id=None)
        credential = made.make(started.public_key)
        passkeys.finish_making(uow, party=PARTY, ceremony=ceremony, credential=credential, customer=customer, name="n")
        uow.commit()
    return made


@pytest.fixture
def device(house: House) -> Authenticator:
    """The customer's passkey."""
    return passkey_of(house, house.customer)


def seen(house: House, *, bank: BankProfile = PROFILE, invoice_id: str = "inv_1") -> str | None:
    """What the page keeps of the order that it shows."""
    with house.services.reading() as uow:
        return decisions.shown_now(uow, customer=house.customer, invoice_id=invoice_id, bank=bank)


def start(
    house: House, *, signed_in: SignedIn | None = None, bank: BankProfile = PROFILE, invoice_id: str = "inv_1"
) -> passkeys.Started:
    shown = seen(house, bank=bank, invoice_id=invoice_id)
    with house.begin() as uow:
        started = decisions.start_paying(
            uow, signed_in=signed_in or house.signed_in, party=PARTY, invoice_id=invoice_id, bank=bank, shown=shown
        )
        uow.commit()
    return started


def decide(house: House, started: passkeys.Started, credential: dict[str, Any], **changes: Any) -> Decided:
    given: dict[str, Any] = {"signed_in": house.signed_in, "banks": {"horizon": PROFILE}, "invoice_id": "inv_1"}
    with house.begin() as uow:
        decided = decisions.decide(
            uow, party=PARTY, ceremony=started.ceremony, credential=credential, psu=PSU, **{**given, **changes}
        )
        uow.commit()
    return decided


def refused(house: House, kind: type[AppError], code: str, started: passkeys.Started, device: Any, **how: Any) -> None:
    credential = device.sign(started.public_key)
    with pytest.raises(kind) as caught:
        decide(house, started, credential, **how)
    assert caught.value.code == code
    assert caught.value.detail.endswith(".")
    nothing_is_decided(house)


def nothing_is_decided(house: House) -> None:
    with house.services.reading() as uow:
        assert uow.session.scalars(select(Decision)).all() == []
        assert uow.session.scalars(select(WorkRow)).all() == []
    assert house.invoice().state == "to_pay"
    assert house.told() == []
    assert house.balances()["due:inv_1"] == 9900


def test_what_is_signed_is_what_is_decided_and_claimed(house: House, device: Authenticator) -> None:
    house.bill(discount=200)
    started = start(house)
    with house.services.reading() as uow:
        ceremony = uow.session.scalars(select(Ceremony)).one()
        assert ceremony.data["order"] == ORDER
        assert ceremony.challenge == linked_challenge(ceremony.data["salt"], ORDER)
        assert ceremony.customer_id == house.customer.id
    nothing_is_decided(house)
    house.clock.tick(minutes=1)
    decided = decide(house, started, device.sign(started.public_key))
    with house.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
        row = uow.session.scalars(select(WorkRow)).one()
        assert uow.session.scalars(select(Ceremony)).all() == []
    kept = {column.key: getattr(decision, column.key) for column in Decision.__table__.columns}
    evidence = kept.pop("evidence")
    assert kept == {
        "id": decision.id,
        "customer_id": house.customer.id,
        "invoice_id": "inv_1",
        "payee_check_id": None,
        "consent_id": None,
        "verb": "pay_now",
        "currency": "EUR",
        "amount_minor": 9700,
        "discount_minor": 200,
        "discount_until": dt.date(2026, 11, 23),
        "credited_minor": 0,
        "paid_minor": 0,
        "parts_paid": [],
        "rest_minor": 0,
        "earlier_paid": [],
        "earlier_not_here": [],
        "pay_on": dt.date(2026, 11, 23),
        "bank_id": "horizon",
        "payee_name": "Lumen SA",
        "payee_iban": IBAN,
        "reference": "RF 1",
        "payment_id": decided.payment_id,
        "psu": {"ip_address": "192.0.2.7", "user_agent": "a browser"},
        "decided_at": house.clock.now,
    }
    assert decision.id.startswith("dec_")
    assert decided.payment_id.startswith("pay_")
    assert evidence["order"] == ORDER
    assert evidence["signature"]
    assert house.invoice().state == "in_payment"
    assert house.balances() == {
        f"inflight:{decided.payment_id}": 9700,
        "adjust:blr_1": 200,
        "biller:blr_1": -9900,
    }
    assert house.told() == ["PaymentDecided"]
    assert (row.handler, row.key) == ("payments.initiate", decided.work.work_keys["payments.initiate"])
    assert row.payload["decision_id"] == decision.id
    assert row.payload["payment_id"] == decided.payment_id
    assert row.run_at == house.clock.now + HEAD_START  # the web request that goes on with it is first


def test_the_bank_that_was_used_last_is_known_for_its_currency_and_to_its_customer(
    house: House, device: Authenticator
) -> None:
    def known(customer_id: str = house.customer.id, currency: str = "EUR") -> str | None:
        with house.services.reading() as uow:
            return bank_used_last(uow.session, customer_id=customer_id, currency=currency)

    assert known() is None
    house.bill()
    started = start(house)
    decide(house, started, device.sign(started.public_key))
    assert known() == PROFILE.id
    assert known(currency="GBP") is None
    assert known("cus_other") is None


def test_a_bill_without_a_reference_and_without_a_discount(house: House, device: Authenticator) -> None:
    house.bill(reference=None)
    started = start(house)
    decide(house, started, device.sign(started.public_key))
    with house.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
    assert (decision.amount_minor, decision.discount_minor, decision.reference) == (9900, 0, None)
    assert decision.evidence["order"] == {**ORDER, "amount_minor": "9900", "reference": ""}


def test_it_is_the_customers_own_day_that_counts(house: House, device: Authenticator) -> None:
    house.bill(discount=200)  # until the 23rd
    house.clock.now = dt.datetime(2026, 11, 23, 23, 30, tzinfo=dt.UTC)  # half past midnight in Paris
    started = start(house)
    decide(house, started, device.sign(started.public_key))
    with house.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
    assert (decision.amount_minor, decision.discount_minor) == (9900, 0)
    assert decision.pay_on == dt.date(2026, 11, 24)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 9901},
        {"payee_iban": "DE89370400440532013000"},
        {"payee_name": "Lumen"},
        {"reference": None},
        {"discount_minor": 100},
    ],
)
def test_when_the_bill_has_changed_since_it_was_shown_the_customer_is_asked_again(
    house: House, device: Authenticator, change: dict[str, object]
) -> None:
    house.bill(discount=200)
    started = start(house)
    with house.begin() as uow:
        open_account(uow, biller_id="blr_1", iban="DE89370400440532013000")  # nor would another one of its biller do
        uow.session.execute(update(Invoice).values(**change))
        uow.commit()
    refused(house, Conflict, "order-changed", started, device)


def test_when_the_day_has_changed_the_customer_is_asked_again(house: House, device: Authenticator) -> None:
    house.bill()
    house.clock.now = dt.datetime(2026, 11, 23, 22, 59, tzinfo=dt.UTC)  # one minute to midnight in Paris
    started = start(house)
    house.clock.tick(minutes=1)
    refused(house, Conflict, "order-changed", started, device)


def test_a_bank_that_is_gone_or_another_bill_is_not_what_was_signed(house: House, device: Authenticator) -> None:
    house.bill()
    house.bill("2")
    started = start(house)
    refused(house, Conflict, "order-changed", started, device, banks={})
    refused(house, Conflict, "order-changed", started, device, banks={"other": PROFILE})
    refused(house, Conflict, "order-changed", started, device, invoice_id="inv_2")
    refused(house, NotFound, "not-found", started, device, invoice_id="inv_3")


def test_from_a_bank_that_its_customer_has_removed_nothing_is_paid(house: House, device: Authenticator) -> None:
    house.bill()
    started = start(house)
    row = {"customer_id": house.customer.id, "bank_id": "horizon", "rank": 1}
    house.add(CustomerBank(**row, added_at=house.clock.now, removed_at=house.clock.now))
    refused(house, Conflict, "bank-removed", started, device)
    with pytest.raises(Conflict, match="You have removed"):
        start(house)


def test_a_bill_that_is_taken_meanwhile_is_not_taken_twice(house: House, device: Authenticator) -> None:
    house.bill()
    started = start(house)
    house.decide()
    credential = device.sign(started.public_key)
    with pytest.raises(Conflict) as caught:
        decide(house, started, credential)
    assert caught.value.code == "already-in-payment"
    with house.services.reading() as uow:
        assert uow.session.scalars(select(Decision.payment_id)).all() == ["pay_1"]
    assert house.balances() == {"inflight:pay_1": 9900, "biller:blr_1": -9900}
    with pytest.raises(Conflict) as caught:
        start(house)
    assert (caught.value.code, caught.value.detail[-1]) == ("already-in-payment", ".")


def own_bill(house: House) -> tuple[str, str]:
    """Its customer adds a bill: its invoice, and the account that it names."""
    customer_id = house.customer.id
    own_bill_id = own_bills.add_code(house.services, customer_id=customer_id, written=epc_text())
    with house.begin() as uow:
        form = own_bills.draft(uow.session, own_bill_id=own_bill_id, customer_id=customer_id).reading
        values, day = own_bills.checked(form), house.clock.now.date()
        invoice_id = own.keep(uow, own_bill_id=own_bill_id, customer_id=customer_id, values=values, today=day)
        uow.commit()
    return invoice_id, values.iban


def test_a_check_that_another_tab_has_used_is_not_asked_for_again_while_that_payment_is_under_way(
    house: House, device: Authenticator
) -> None:
    """It would say that nothing was paid."""
    invoice_id, iban = own_bill(house)
    with pytest.raises(Conflict) as caught:
        start(house, invoice_id=invoice_id)
    assert caught.value.code == "check-payee-first"
    house.check_payee(invoice_id, typed=iban)
    tabs = [start(house, invoice_id=invoice_id) for _ in range(2)]
    decide(house, tabs[0], device.sign(tabs[0].public_key), invoice_id=invoice_id)
    with pytest.raises(Conflict) as caught:
        decide(house, tabs[1], device.sign(tabs[1].public_key), invoice_id=invoice_id)
    assert caught.value.code == "already-in-payment"


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_the_bill_is_locked_before_it_is_compared_with_what_was_signed(house: House, device: Authenticator) -> None:
    house.bill()
    own_bill(house)  # who has added none has nothing that may be the same, and is not asked
    started = start(house)
    credential = device.sign(started.public_key)
    seen: list[str] = []

    def statement(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        seen.append(sql)

    event.listen(house.engine, "before_cursor_execute", statement)
    decide(house, started, credential)
    event.remove(house.engine, "before_cursor_execute", statement)
    # what was read before is read anew with the lock
    whole = [at for at, sql in enumerate(seen) if "invoice.payee_iban" in sql]
    locked = [at for at in whole if seen[at].rstrip().endswith("FOR NO KEY UPDATE")]
    # before it: which bills are in the line of what may be the same, to lock these; after it that again, both ways,
    # and the bills that it replaces
    compared = [at for at, sql in enumerate(seen) if "WITH RECURSIVE" in sql]
    assert len(locked) == 1
    assert [at > locked[0] for at in compared] == [False, False, True, True, True]


def test_a_demo_visit_looks_and_does_not_pay(house: House, device: Authenticator) -> None:
    house.bill()
    started = start(house)
    visit = dataclasses.replace(house.signed_in, read_only=True)
    refused(house, NotAllowed, "demo-visit", started, device, signed_in=visit)
    with pytest.raises(NotAllowed) as caught:
        start(house, signed_in=visit)
    assert (caught.value.code, caught.value.detail[-1]) == ("demo-visit", ".")


def test_somebody_else_neither_signs_nor_decides(house: House, device: Authenticator) -> None:
    house.bill()
    with house.begin() as uow:
        other = add_customer(uow, name="Other", email="o@example.org", locale="fr", time_zone="Europe/Paris")
        uow.commit()
    stranger = SignedIn(other, "ses_2", read_only=False)
    started = start(house)
    refused(house, Invalid, "ceremony-over", started, device, signed_in=stranger)
    with pytest.raises(NotFound):
        start(house, signed_in=stranger)
    sign_in = device.sign(started.public_key)
    with house.begin() as uow:  # what was handed out for another purpose is not taken
        uow.session.execute(update(Ceremony).values(purpose="sign-in"))
        uow.commit()
    with pytest.raises(Invalid):
        decide(house, started, sign_in)
    nothing_is_decided(house)


def test_a_good_signature_of_somebody_elses_passkey_decides_nothing(house: House, device: Authenticator) -> None:
    house.bill()
    with house.begin() as uow:
        other = add_customer(uow, name="Other", email="o@example.org", locale="fr", time_zone="Europe/Paris")
        uow.commit()
    theirs = passkey_of(house, other)
    started = start(house)
    credential = theirs.sign({**started.public_key, "allowCredentials": []})
    with pytest.raises(NotAllowed) as caught:
        decide(house, started, credential)
    assert caught.value.code == "not-verified"
    nothing_is_decided(house)


def test_a_signature_that_is_altered_decides_nothing(house: House, device: Authenticator) -> None:
    house.bill()
    started = start(house)
    credential = device.sign(started.public_key)
    credential["response"] = {**credential["response"], "signature": "AAAA"}
    with pytest.raises(NotAllowed) as caught:
        decide(house, started, credential)
    assert caught.value.code == "not-verified"
    nothing_is_decided(house)
