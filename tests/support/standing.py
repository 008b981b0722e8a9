"""An installation whose customer has all that a payment needs but a decision: an open bill, and at a UK bank a standing
consent that covers it, authorised, with its token in our vault. The customer agreed to it and approved it at the bank,
but on no page of ours: tests/browser/test_standing.py goes that way.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.db.events import EventRow
from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.access import payee_of
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.receipts.models import Receipt
from app.people import tool_tokens
from app.people.models import Biller, Customer, ToolToken
from app.schedule import Schedule
from app.services import Services
from app.worker import Worker
from connectors.capabilities import Alignment, Period, PeriodicLimit, RecurringConsent, RecurringKind
from connectors.contract import Authorised, ConsentStatus, PaymentOrder, PsuContext, ScaOAuth
from connectors.money import Money
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.security.pkce import challenge, new_verifier
from consent import tokens
from consent.base import Base, hash_of, new_id
from consent.models import Consent, Trip
from consent.rules import Frame, Limit
from consent.states import StandingState
from tests.support import factories
from tests.support.billers_door import Program
from tests.support.bills import json_bill
from tests.support.installation import BASE_URL
from tests.support.journey import Browser
from tests.support.uk_socket import CountedBank
from tests.support.uk_wire import OverTls, UkPerson

BANK = "albion"
PAYEE_IBAN = "GB29NWBK60161331926819"
AMOUNT = "84.20"
WAIT_S = 10
PSU = PsuContext(ip_address="192.0.2.7")

#: whose ids are at hand: for each the first ones
MODELS: tuple[type[Base], ...] = (
    Invoice, DeliveredBill, Payment, Decision, Consent, Trip, Customer, Biller, Receipt, EventRow,
)  # fmt: skip
OF_EACH = 2


@dataclass(frozen=True, kw_only=True)
class Approved:
    """A standing consent that the customer approved at the bank. ``answer`` is what their browser brought back."""

    bank_consent_id: str
    sca: ScaOAuth
    state: str
    answer: dict[str, str]
    access_token: str | None  #: None: its code was left unused


@dataclass(kw_only=True)
class World:
    app: Flask
    services: Services
    worker: Worker
    clock: Any
    bank: CountedBank
    browser: Browser
    customer: Customer
    program: Program
    address: str
    invoice_id: str
    agreed: RecurringConsent
    standing: Approved
    consent_id: str  #: the row whose token is in the vault
    unused: Approved  #: a second one like it, whose code nobody has exchanged
    tls: OverTls

    # ---------------------------------------------------------------------------------------------------- what moved

    def moved(self) -> dict[str, int]:
        """All that may be different only after a decision."""
        with self.services.reading() as uow:
            ours = {
                model.__tablename__: uow.session.scalar(select(func.count()).select_from(model)) or 0
                for model in (Decision, Payment)
            }
        return {
            **ours,
            "submissions": len(self.bank.submissions),
            "orders at the bank": len(self.bank.rows("payment")),
            "movements at the bank": len(self.bank.rows("movement")),
        }

    @property
    def connector(self) -> OpenBankingUkConnector:
        made = self.services.banks.connector(BANK)
        assert isinstance(made, OpenBankingUkConnector)
        return made

    def token(self) -> str:
        """Out of our vault."""
        with self.services.reading() as uow:
            consent = uow.session.get_one(Consent, self.consent_id)
            found = tokens.access_token(uow.session, self.services.vault, consent, now=uow.now)
        assert found is not None, "the token is gone from the vault: it proves nothing that nobody used it"
        return found

    def could_pay(self) -> None:
        """We would have offered it and the bank have taken it: the consent stands, its token is good, the money is
        there."""
        with self.services.reading() as uow:
            assert uow.session.get_one(Consent, self.consent_id).state == StandingState.AUTHORISED
        recurring, consent_id = self.connector.recurring, self.standing.bank_consent_id
        assert recurring.consent_status(consent_id, timeout_s=WAIT_S) is ConsentStatus.AUTHORISED
        amount = Money.parse(AMOUNT, "GBP")
        told = recurring.funds(consent_id, amount, access_token=self.token(), psu=PSU, timeout_s=WAIT_S)
        assert told.available

    def pays_by_force(self) -> None:
        """What nobody may do: submit with what lies in the vault."""
        order = PaymentOrder(
            amount=Money.parse(AMOUNT, "GBP"),
            creditor_name=self.agreed.creditor_name,
            creditor_iban=self.agreed.creditor_iban,
            end_to_end_id=secrets.token_hex(16),
        )
        recurring = self.connector.recurring
        request = recurring.draft_payment(
            order, consent=self.agreed, consent_id=self.standing.bank_consent_id, request_id=str(uuid.uuid4())
        )
        recurring.submit(request, access_token=self.token(), psu=PSU, timeout_s=WAIT_S)

    # ------------------------------------------------------------------------------------------------------ time, ids

    def wait(self, **how: float) -> None:
        """Time goes by; the worker and its housekeeping do what is due."""
        self.clock.tick(**how)
        Schedule(self.services).run_due()
        self.worker.run_until_idle()

    def ids(self) -> dict[str, str]:
        """Ids at hand → whose they are: ours, and the bank's."""
        found: dict[str, str] = {}
        with self.services.reading() as uow:
            for model in MODELS:
                key: Any = model.__table__.c.id
                found |= dict.fromkeys(
                    uow.session.scalars(select(key).order_by(key).limit(OF_EACH)), model.__tablename__
                )
            for bank_payment_id in uow.session.scalars(select(Payment.bank_payment_id).limit(OF_EACH)):
                if bank_payment_id is not None:
                    found[bank_payment_id] = "payment at the bank"
        found[new_id("pay")] = "a payment that is not there"
        for one in (self.standing, self.unused):
            found[one.bank_consent_id] = "consent at the bank"
        return found

    # --------------------------------------------------------------------------------------------------- who may call

    def callers(self) -> dict[str, Callable[[], Caller]]:
        bearer, tool = self.program.bearer(), {"Authorization": f"Bearer {self.tool()}"}
        return {
            "nobody": lambda: Caller(self.app.test_client(), {}),
            "the customer": self.as_customer,
            "the biller's program": lambda: Caller(self.app.test_client(), bearer),
            "the customer's program": lambda: Caller(self.app.test_client(), tool),
        }

    def tool(self) -> str:
        """A token of the customer's programs."""
        token = f"{tool_tokens.PREFIX}{secrets.token_urlsafe(32)}"
        with self.services.unit_of_work() as uow:
            row = {"customer_id": self.customer.id, "name": "Budget", "scope": tool_tokens.SCOPE}
            uow.session.add(ToolToken(token_hash=hash_of(token), created_at=uow.now, **row))
            uow.commit()
        return token

    def as_customer(self) -> Caller:
        """Signed in, on one of our pages, with its form token."""
        client = self.app.test_client()
        session = factories.sign_in(self.services, self.customer)
        client.set_cookie("__Host-session-8000", session, domain="localhost", secure=True)
        browser = Browser.of(self.app)
        browser.client = client
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": BASE_URL, "X-CSRFToken": browser.token("/bills")}
        return Caller(client, headers)

    # ------------------------------------------------------------------------------------------------------ the bank

    def person(self) -> UkPerson:
        return UkPerson(transport=self.tls)


@dataclass(frozen=True)
class Caller:
    client: FlaskClient
    headers: dict[str, str]

    def call(self, method: str, path: str, **body: Any) -> TestResponse:
        return self.client.open(path, method=method, base_url=BASE_URL, headers=self.headers, **body)


def approve(services: Services, tls: OverTls, agreed: RecurringConsent, *, exchange: bool) -> Approved:
    """Our connector asks, the customer approves at the bank's pages."""
    connector = services.banks.connector(BANK)
    assert isinstance(connector, OpenBankingUkConnector)
    redirect_uri = f"{BASE_URL}/banks/{BANK}/return"
    request = connector.recurring.draft(agreed, request_id=str(uuid.uuid4()))
    staged = connector.recurring.initiate(request, psu=PSU, timeout_s=WAIT_S)
    assert staged.sca is not None
    state, nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(24), new_verifier()
    address = connector.authorise_url(
        staged.sca,
        redirect_uri=redirect_uri,
        state=state,
        nonce=nonce,
        code_challenge=challenge(verifier),
        timeout_s=WAIT_S,
    )
    parts = urlsplit(UkPerson(transport=tls).approve(address))
    answer = dict(parse_qsl(parts.fragment or parts.query))
    token = None
    if exchange:
        token = connector.complete(
            staged.sca,
            answer=answer,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            timeout_s=WAIT_S,
        ).access_token
    return Approved(bank_consent_id=staged.consent_id, sca=staged.sca, state=state, answer=answer, access_token=token)


def begin(*, app: Flask, services: Services, worker: Worker, clock: Any, bank: CountedBank) -> World:
    browser = Browser.of(app)
    browser.sign_up()
    with services.reading() as uow:
        customer = uow.session.scalars(select(Customer)).one()
    biller = factories.make_biller(services, name="Thames Water Works", iban=PAYEE_IBAN)
    address = factories.connect(services, customer_id=customer.id, biller_id=biller.id)
    program = Program(
        http=app.test_client(),
        clock=clock,
        biller_id=biller.id,
        iban=PAYEE_IBAN,
        vat_id=biller.vat_id,
        client_id=biller.client_id,
        key=ECKey.import_key(biller.private_jwk),
    )
    today = clock().date()
    delivered = program.deliver(bill_for(address, number="2026-1", today=today))
    assert delivered.status_code == 201, delivered.text
    worker.run_until_idle()
    with services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice)).one()
    name, iban = payee_of(invoice)
    agreed = RecurringConsent(
        creditor_name=name,
        creditor_iban=iban,
        maximum_individual=Money.parse("500.00", "GBP"),
        periodic_limits=(
            PeriodicLimit(period=Period.MONTH, alignment=Alignment.CONSENT, amount=Money.parse("5000.00", "GBP")),
        ),
        kind=RecurringKind.OTHER,
        valid_from=today,
        off_session=True,
    )
    tls = OverTls(bank.folder / "ca.pem")
    standing = approve(services, tls, agreed, exchange=True)
    return World(
        app=app,
        services=services,
        worker=worker,
        clock=clock,
        bank=bank,
        browser=browser,
        customer=customer,
        program=program,
        address=address,
        invoice_id=invoice.id,
        agreed=agreed,
        standing=standing,
        consent_id=keep(services, customer_id=customer.id, biller_id=biller.id, agreed=agreed, approved=standing),
        unused=approve(services, tls, agreed, exchange=False),
        tls=tls,
    )


def keep(services: Services, *, customer_id: str, biller_id: str, agreed: RecurringConsent, approved: Approved) -> str:
    """The standing consent as our tables have it once it is approved, its token in the vault for a year. Returns its
    id."""
    assert agreed.valid_from is not None
    limits = [
        Limit(period=one.period, alignment=one.alignment, minor=one.amount.minor) for one in agreed.periodic_limits
    ]
    frame = Frame(
        payee_name=agreed.creditor_name,
        payee_iban=agreed.creditor_iban,
        currency=agreed.maximum_individual.currency,
        each_minor=agreed.maximum_individual.minor,
        limits=tuple(limits),
        begins_on=agreed.valid_from,
        ends_on=None,
    )
    with services.unit_of_work() as uow:
        standing = factories.agree_standing(
            uow, customer_id=customer_id, biller_id=biller_id, bank_id=BANK, frame=frame, days="Europe/London"
        )
        consent = uow.session.get_one(Consent, standing.consent_id)
        consent.bank_consent_id, consent.sca = approved.bank_consent_id, asdict(approved.sca)
        standing.payer_mask = "····4417"
        token = Authorised(access_token=approved.access_token, expires_in_s=None)
        tokens.keep_standing(
            uow.session, services.vault, consent.id, token, now=uow.now, until=uow.now + dt.timedelta(days=365)
        )
        trip = Trip(
            id=new_id("trp"),
            customer_id=customer_id,
            bank_id=BANK,
            state_hash=hash_of(approved.state),
            redirect_uri=f"{BASE_URL}/banks/{BANK}/return",
            consent_id=consent.id,
            outcome="code",
            **dict.fromkeys(("created_at", "left_at", "returned_at", "exchanged_at"), uow.now),
        )
        uow.session.add(trip)
        uow.commit()
        return standing.consent_id


def bill_for(address: str, *, number: str, today: dt.date, **changes: Any) -> bytes:
    said: dict[str, Any] = {
        "to": address,
        "number": number,
        "issued_on": today.isoformat(),
        "due_on": (today + dt.timedelta(days=60)).isoformat(),
        "currency": "GBP",
        "amount": AMOUNT,
        "payee": {"name": "Thames Water Works", "iban": PAYEE_IBAN},
        "reference": "2026-1",
    }
    return json_bill(**{**said, **changes})
