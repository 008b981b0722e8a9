"""People and bills for tests, made through the same verbs that the service uses."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey, KeySet

from app.audit import entries
from app.audit.kinds import Kind
from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.journey.connections import service as connections
from app.people import accounts, clients, customers, sessions, vetting
from app.people.identifiers import Scheme
from app.people.models import Biller, Customer, PayeeAccount, Stop
from app.people.sessions import SignedIn
from app.services import Services
from connectors.capabilities import Alignment, Period, RecurringKind
from connectors.company_register import NOT_POSSIBLE as NO_ANSWER
from connectors.company_register import RegisterAnswer
from connectors.payee_name import NOT_POSSIBLE
from consent.base import new_id
from consent.models import Consent, ConsentHistory, ShownText, Standing
from consent.rules import Frame, Limit
from consent.states import STANDING, STANDING_OVER, StandingState, StandingStep

_numbers = itertools.count(1)

OPERATORS = ("ada", "grace")
IBANS = ("FR1420041010050500013M02606", "DE89370400440532013000", "NL91ABNA0417164300", "BE68539007547034")


@dataclass(frozen=True, slots=True)
class BillerMade:
    """A vetted biller with one program that may do everything a biller can."""

    id: str
    name: str
    vat_id: str
    iban: str
    client_id: str
    private_jwk: dict[str, Any]


def make_customer(
    services: Services, *, name: str = "Camille Laurent", locale: str = "en", demo: bool = False
) -> Customer:
    with services.unit_of_work() as uow:
        customer = customers.add_customer(
            uow,
            name=name,
            email=f"c{next(_numbers)}@example.org",
            locale=locale,
            time_zone="Europe/Paris",
            demo=demo,
        )
        uow.commit()
        return customer


def make_biller(
    services: Services,
    *,
    name: str = "Lumen Énergie",
    scope: str = (
        "bills:write bills:read payments:read connections:read connections:write answers:read answers:write"
        " refunds:read refunds:write"
    ),
    iban: str | None = None,
) -> BillerMade:
    number = next(_numbers)
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    iban = iban or IBANS[number % len(IBANS)]
    vat_id = f"FR{number:011d}"
    with services.unit_of_work() as uow:
        biller = Biller(id=new_id("blr"), name=name, vat_id=vat_id, country="FR", created_at=uow.now)
        write_down(uow, biller)
        vet(uow, biller.id)
        open_account(uow, biller_id=biller.id, iban=iban, holder=name[:70])
        public = KeySet([ECKey.import_key(key.as_dict(private=False))]).as_dict(private=False)
        client_id = clients.add_client(uow, biller_id=biller.id, jwks=public, scope=scope)
        uow.commit()
    return BillerMade(biller.id, name, vat_id, iban, client_id, dict(key.as_dict(private=True)))


def write_down(uow: UnitOfWork, biller: Biller) -> None:
    """A biller that one operator proposed, with the VAT number that it has or a SIREN that is nobody's."""
    number = {Scheme.VAT: biller.vat_id} if biller.vat_id else {Scheme.SIREN: f"{next(_numbers):09d}"}
    biller.sequence = 0
    uow.session.add(biller)
    entries.write(uow, Kind.BILLER_REGISTERED, biller)
    uow.session.flush()
    vetting.begin(uow, biller, identifiers=number, by=OPERATORS[0])


def vet(uow: UnitOfWork, biller_id: str, *, answer: RegisterAnswer = NO_ANSWER) -> None:
    """By two operators, whatever its name is like."""
    numbers = vetting.identifiers_of(uow.session, biller_id)
    vetting.note_answers(uow, biller_id=biller_id, answers={each.scheme: answer for each in numbers}, by=OPERATORS[0])
    found = vetting.reviews(uow.session, uow.session.get_one(Biller, biller_id), bank_names=())
    like = [each.biller_id for each in found if each.biller_id]
    despite = "it is in a test" if found else None
    for operator in OPERATORS:
        vetting.approve(uow, biller_id=biller_id, by=operator, bank_names=(), although_like=like, despite=despite)


def open_account(uow: UnitOfWork, *, biller_id: str, iban: str, holder: str | None = None) -> PayeeAccount:
    """An account that two operators approved, open at once."""
    account = accounts.propose(uow, biller_id=biller_id, iban=iban, holder=holder, by=OPERATORS[0])
    accounts.note_check(uow, account_id=account.id, answer=NOT_POSSIBLE, by=OPERATORS[0])
    for operator in OPERATORS:
        accounts.approve(uow, account_id=account.id, holder=account.holder, by=operator, wait=dt.timedelta())
    return account


def connect(services: Services, *, customer_id: str, biller_id: str) -> str:
    """Returns the space address that this biller delivers to."""
    with services.unit_of_work() as uow:
        address = connections.connect(
            uow, customer_id=customer_id, biller_id=biller_id, space_domain=services.settings.space_domain
        )
        uow.commit()
        return address


FRAME = Frame(
    payee_name="Trams",
    payee_iban="GB33BUKB20201555555555",
    currency="GBP",
    each_minor=50_00,
    limits=(Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=100_00),),
    begins_on=dt.date(2026, 1, 1),
    ends_on=None,
)


def stop_everything(uow: UnitOfWork, *, customer_id: str) -> None:
    """The bare row and its line in the log: nothing that follows from it."""
    stop = Stop(id=new_id("stp"), customer_id=customer_id, session_id="ses_1", at=uow.now)
    uow.session.add(stop)
    uow.session.flush()
    entries.write(uow, Kind.CUSTOMER_STOPPED, stop)


def agree_standing(
    uow: UnitOfWork,
    *,
    customer_id: str,
    biller_id: str,
    bank_id: str = "albion",
    frame: Frame = FRAME,
    days: str = "UTC",
    steps: Sequence[StandingStep] = (StandingStep.STAGE, StandingStep.AUTHORISE),
) -> Standing:
    """A standing consent that went through ``steps``, as its tables have it. No bank knows of it."""
    states = [StandingState.PREPARED]
    for taken in steps:
        states.append(STANDING.next(states[-1], taken))
    consent_id, is_over = new_id("con"), states[-1] in STANDING_OVER
    uow.session.add(
        Consent(
            id=consent_id,
            customer_id=customer_id,
            kind="standing",
            bank_id=bank_id,
            bank_consent_id=f"vrp-{consent_id}" if StandingStep.STAGE in steps else None,
            state=states[-1],
            sca={},
            created_at=uow.now,
            expires_at=uow.now + dt.timedelta(minutes=15),
        )
    )
    says = json.dumps(["You may start payments."])
    text = {"sha256": hashlib.sha256(says.encode()).hexdigest(), "language": "en", "what": "agree", "text": says}
    insert_once(uow.session, ShownText, {**text, "first_at": uow.now}, unique=["sha256"])
    uow.session.flush()
    standing = Standing(
        consent_id=consent_id,
        customer_id=customer_id,
        biller_id=biller_id,
        bank_id=bank_id,
        purpose="Bills",
        payee_name=frame.payee_name,
        payee_iban=frame.payee_iban,
        currency=frame.currency,
        each_minor=frame.each_minor,
        limits=[{"period": limit.period, "alignment": limit.alignment, "minor": limit.minor} for limit in frame.limits],
        vrp_type=RecurringKind.OTHER,
        off_session=True,
        days=days,
        begins_on=frame.begins_on,
        ends_on=frame.ends_on,
        shown_hash=text["sha256"],
        evidence={},
        agreed_at=uow.now,
        request_id=str(uuid.uuid4()),
        method="POST",
        path="/domestic-vrp-consents",
        headers={},
        body=b"{}",
        sends=1,
        gone_at=uow.now if is_over else None,
        ended_at=uow.now if is_over else None,
        sequence=len(states),
    )
    uow.session.add(standing)
    uow.session.flush()
    entries.write(uow, Kind.CONSENT_AGREED, standing)
    for sequence, (before, after) in enumerate(zip([None, *states], states, strict=False), 1):
        line = {"step": "agree" if before is None else steps[sequence - 2].name.lower(), "before": before}
        history = ConsentHistory(
            consent_id=consent_id, sequence=sequence, after=after, source="customer", evidence="", at=uow.now, **line
        )
        uow.session.add(history)
        uow.session.flush()
        entries.write(uow, Kind.CONSENT_STEP, history)
    if not is_over:  # its work is there, and nothing happens by itself
        key, payload = f"consents.follow:{consent_id}", {"consent_id": consent_id}
        far = uow.now + dt.timedelta(days=3650)
        work.enqueue(uow.session, handler="consents.follow", key=key, payload=payload, now=uow.now, run_at=far)
    return standing


def sign_in(services: Services, customer: Customer, *, read_only: bool = False) -> str:
    """Returns the value of the session cookie."""
    with services.unit_of_work() as uow:
        token = sessions.open_session(
            uow, customer_id=customer.id, user_agent="test", read_only=read_only, replaces=None
        )
        uow.commit()
        return token


def signed_in(customer: Customer, *, read_only: bool = False) -> SignedIn:
    return SignedIn(customer, "ses_test", read_only)
