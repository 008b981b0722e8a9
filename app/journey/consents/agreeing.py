"""Agreeing on a standing consent: what may be agreed on, the exact words and values that are signed, and writing it
down. Nothing is given to a bank here (follow.py does that), and nothing is paid by it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import HEAD_START, UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.journey.consents import rules
from app.journey.consents.my_banks import has_removed, keep_bank
from app.journey.consents.step import begin, follow_from
from app.journey.invoices.models import Invoice
from app.people import biller_queue, passkeys, stops
from app.people.accounts import is_open, with_biller
from app.people.customers import lock_customer, today_of
from app.people.models import Biller, Customer, PayeeAccount
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from app.services import Services
from connectors.capabilities import Alignment, Period, RecurringKind, Recurs
from connectors.contract import PsuContext
from connectors.profile import BankProfile
from consent.agreed import agreed_in
from consent.base import new_id
from consent.models import Consent, ShownText, Standing
from consent.rules import Fault, Frame, Limit, days_at, faults
from consent.states import StandingState

PURPOSE = "agree"
#: of the kinds that a bank takes, the one for bills: by contract between the bank and us before all others
KINDS = (RecurringKind.COMMERCIAL_1, RecurringKind.OTHER, RecurringKind.COMMERCIAL_2, RecurringKind.COMMERCIAL_3)
CURRENCY = "GBP"
PURPOSE_MOST = 140
#: whoever sends a signature again does so soon
LATELY = dt.timedelta(hours=1)

#: the field that a fault of the whole frame is mended in
_POINTERS = {
    Fault.BACKDATED: "/begins_on",
    Fault.BEGINS_TOO_LATE: "/begins_on",
    Fault.ENDS_BEFORE_IT_BEGINS: "/ends_on",
    Fault.ENDS_TOO_LATE: "/ends_on",
    Fault.NO_AMOUNT: "/each",
    Fault.NO_LIMIT: "/limits/month",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """All that is agreed on, as it is shown and signed."""

    biller_id: str
    biller_name: str
    bank_id: str
    bank_name: str
    kind: RecurringKind
    days: str  #: by whose clock its days are counted (rules.days_at)
    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the customer chooses. ``limits``: minor units for a period, each period once."""

    each_minor: int
    limits: Mapping[Period, int]
    begins_on: dt.date | None  #: None: at once
    ends_on: dt.date | None  #: None: until it is taken back


#: the sentences that a page says of terms, in a language
Words = Callable[[Terms, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom a consent for a biller's bills would be for."""

    biller_id: str
    biller_name: str
    name: str
    iban: str


def takes_new(bank: BankProfile) -> bool:
    """Whether its file says that standing consents for bills can be set up there."""
    return kind_at(bank) is not None


def kind_at(bank: BankProfile) -> RecurringKind | None:
    return next((kind for kind in KINDS if kind in bank.recurring), None)


def payee_for(session: Session, *, biller_id: str, customer_id: str, now: dt.datetime) -> Payee:
    """The open account of a vetted biller that standing consents can pay to: the one of its customer's latest bill
    before others. Raises NotFound for no biller, Conflict where it has none: it is suspended, or its account is held,
    or not in the UK."""
    biller = session.get(Biller, biller_id)
    if biller is None or biller.vetted_since is None:
        raise NotFound("company")
    accounts = session.scalars(
        select(PayeeAccount)
        .join(Biller, with_biller)
        .where(PayeeAccount.biller_id == biller_id, is_open(now), PayeeAccount.iban.startswith("GB"))
        .order_by(PayeeAccount.active_from, PayeeAccount.id)
    ).all()
    if not accounts:
        raise Conflict("no-account", "This company has no account now to which a standing consent can pay.")
    last = session.scalar(
        select(Invoice.payee_iban)
        .where(Invoice.customer_id == customer_id, Invoice.biller_id == biller_id, Invoice.payee_iban.is_not(None))
        .order_by(Invoice.opened_at.desc())
        .limit(1)
    )
    chosen = next((account for account in accounts if account.iban == last), accounts[0])
    return Payee(biller.id, biller.name, chosen.holder, chosen.iban)


def first_day(customer: Customer, bank: BankProfile, *, now: dt.datetime) -> dt.date:
    """Today, of the customer's calendar and of the bank's: the later of the two."""
    return max(today_of(customer, now), *days_at(now, days=bank.limit_days))


def terms_of(uow: UnitOfWork, *, customer: Customer, biller_id: str, bank: BankProfile, wanted: Wanted) -> Terms:
    """What would be agreed on. Raises NotFound, Conflict where nothing can be agreed on now, and Invalid with the
    fields that are to be mended (``/each``, ``/limits/month``, ``/begins_on``, ``/ends_on``)."""
    payee = payee_for(uow.session, biller_id=biller_id, customer_id=customer.id, now=uow.now)
    kind = may_agree(uow, customer_id=customer.id, bank=bank)
    first = first_day(customer, bank, now=uow.now)
    frame = Frame(
        payee_name=payee.name,
        payee_iban=payee.iban,
        currency=CURRENCY,
        each_minor=wanted.each_minor,
        limits=tuple(
            Limit(
                period=period,
                # no calendar has fortnights; all else people count by the calendar
                alignment=Alignment.CONSENT if period is Period.FORTNIGHT else Alignment.CALENDAR,
                minor=wanted.limits[period],
            )
            for period in Period
            if period in wanted.limits
        ),
        begins_on=wanted.begins_on or first,
        ends_on=wanted.ends_on,
    )
    found = faults(frame, today=first, currencies=bank.currencies)
    if found:
        errors = tuple(FieldError(_pointer(frame, fault, number), fault) for fault, number in found)
        raise Invalid("frame", "These limits cannot be agreed on. Nothing was set up.", errors=errors)
    return Terms(
        biller_id=biller_id,
        biller_name=payee.biller_name,
        bank_id=bank.id,
        bank_name=bank.name,
        kind=kind,
        days=bank.limit_days,
        frame=frame,
    )


def _pointer(frame: Frame, fault: Fault, number: int | None) -> str:
    if number is not None:
        return f"/limits/{frame.limits[number].period}"
    return _POINTERS.get(fault, "/limits")


def may_agree(uow: UnitOfWork, *, customer_id: str, bank: BankProfile) -> RecurringKind:
    """Of which kind another one at this bank would be. Raises Conflict where none can be agreed on now."""
    kind = kind_at(bank)
    if kind is None:
        raise Conflict("bank-takes-none", f"{bank.name} takes no standing consents for bills.")
    stops.must_not_stand(uow, customer_id)
    if has_removed(uow.session, customer_id=customer_id, bank_id=bank.id):
        raise Conflict("bank-removed", f"You have removed {bank.name}. Add it again first.")
    if _open_ones(uow.session, customer_id) >= rules.OPEN_MOST:
        raise Conflict("too-many-consents", f"You have {rules.OPEN_MOST} consents already. End one first.")
    return kind


def _open_ones(session: Session, customer_id: str) -> int:
    open_ones = select(func.count()).select_from(Standing)
    return session.scalar(open_ones.where(Standing.customer_id == customer_id, Standing.ended_at.is_(None))) or 0


# ----------------------------------------------------------------------------------------------------- what is signed


def canonical_text(sentences: Sequence[str]) -> str:
    """The one spelling of what a page says: its hash is signed."""
    return json.dumps(list(sentences), ensure_ascii=False, separators=(",", ":"))


def order_of(terms: Terms, *, language: str, words: Words) -> dict[str, str]:
    """What is signed. Every field is text, so that its canonical form has one spelling."""
    frame = terms.frame
    return {
        "biller": terms.biller_id,
        "payee": frame.payee_name,
        "iban": frame.payee_iban,
        "bank": terms.bank_id,
        "currency": frame.currency,
        "each_minor": str(frame.each_minor),
        "limits": " ".join(f"{limit.period}/{limit.alignment}/{limit.minor}" for limit in frame.limits),
        "begins_on": frame.begins_on.isoformat(),
        "ends_on": frame.ends_on.isoformat() if frame.ends_on else "",
        "kind": terms.kind,
        "language": language,
        "text": hashlib.sha256(canonical_text(words(terms, language)).encode()).hexdigest(),
    }


def shown_of(order: Mapping[str, str]) -> str:
    """The hash of what is signed. The page that shows it carries this to the ceremony."""
    return hashlib.sha256(passkeys.canonical(dict(order))).hexdigest()


def _wanted_in(signed: Mapping[str, str]) -> Wanted:
    limits = (limit.split("/") for limit in signed["limits"].split())
    return Wanted(
        each_minor=int(signed["each_minor"]),
        limits={Period(period): int(minor) for period, _, minor in limits},
        begins_on=dt.date.fromisoformat(signed["begins_on"]),
        ends_on=dt.date.fromisoformat(signed["ends_on"]) if signed["ends_on"] else None,
    )


def start_agreeing(
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    party: RelyingParty,
    biller_id: str,
    bank: BankProfile,
    wanted: Wanted,
    language: str,
    words: Words,
    shown: object,
) -> Started:
    """Hand out the challenge over exactly these terms and the words in which they were shown. Nothing is agreed yet.

    ``shown`` is what ``shown_of`` said when the page was drawn. Raises as ``terms_of``, NotAllowed, and Conflict
    ``terms-changed``.
    """
    signed_in.check_acts()
    terms = terms_of(uow, customer=signed_in.customer, biller_id=biller_id, bank=bank, wanted=wanted)
    order = order_of(terms, language=language, words=words)
    if shown != shown_of(order):
        raise _changed()
    return passkeys.start_payment(
        uow, party=party, customer_id=signed_in.customer.id, order=dict(order), purpose=PURPOSE
    )


def agree(
    services: Services,
    uow: UnitOfWork,
    *,
    signed_in: SignedIn,
    party: RelyingParty,
    ceremony: object,
    credential: dict[str, Any],
    banks: Mapping[str, BankProfile],
    psu: PsuContext,
    words: Words,
) -> str:
    """Write down what was signed, with the request that gives it to the bank (K1, K2). Returns the consent's id.

    The signature must be over the terms as they would be at this moment. Raises NotFound, Invalid, NotAllowed,
    Conflict; then nothing is written.
    """
    signed_in.check_acts()
    customer = signed_in.customer
    taken = passkeys.take(uow, token=ceremony, purpose=PURPOSE, customer_id=customer.id)
    signed: dict[str, str] = taken.data["order"]
    biller_queue.wait_to_read(uow.session, signed["biller"])
    lock_customer(uow.session, customer.id)  # what is counted stays so
    stops.hold_off(uow.session, customer.id)  # and whether everything is stopped
    bank = banks.get(signed["bank"])
    if bank is None:
        raise _changed()
    wanted = _wanted_in(signed)
    terms = terms_of(uow, customer=customer, biller_id=signed["biller"], bank=bank, wanted=wanted)
    if signed != order_of(terms, language=signed["language"], words=words):
        raise _changed()
    _, evidence = passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer.id)
    said = canonical_text(words(terms, signed["language"]))
    text = {"sha256": signed["text"], "language": signed["language"], "what": PURPOSE, "text": said}
    insert_once(uow.session, ShownText, {**text, "first_at": uow.now}, unique=["sha256"])
    keep_bank(uow, customer_id=customer.id, bank_id=bank.id)
    standing = _write(services, uow, customer_id=customer.id, terms=terms, evidence=evidence, psu=psu)
    begin(uow, standing)
    follow_from(uow, standing, run_at=uow.now + HEAD_START)
    return standing.consent_id


def agreed_lately(uow: UnitOfWork, *, signed_in: SignedIn, order: Mapping[str, str]) -> str | None:
    """The consent that this customer has just agreed on in exactly these words, if there is one that is not over: for
    whoever sends the same signature twice, and is to be led to what came of it."""
    recent = (
        select(Standing)
        .where(Standing.customer_id == signed_in.customer.id, Standing.ended_at.is_(None))
        .where(Standing.agreed_at > uow.now - LATELY)
        .order_by(Standing.agreed_at.desc())
    )
    return next((each.consent_id for each in uow.session.scalars(recent) if each.evidence["order"] == order), None)


def _write(
    services: Services,
    uow: UnitOfWork,
    *,
    customer_id: str,
    terms: Terms,
    evidence: dict[str, Any],
    psu: PsuContext,
) -> Standing:
    consent = Consent(
        id=new_id("con"),
        customer_id=customer_id,
        kind="standing",
        bank_id=terms.bank_id,
        bank_consent_id=None,
        state=StandingState.PREPARED,
        sca={},
        created_at=uow.now,
        expires_at=uow.now + rules.SEND_LIFE,
    )
    uow.session.add(consent)
    uow.session.flush()
    recurring = cast("Recurs", services.banks.connector(terms.bank_id)).recurring
    try:
        request = recurring.draft(agreed_in(terms.frame, terms.kind), request_id=str(uuid.uuid4()))
    except ValueError as error:
        raise Conflict("bank-cannot", "This bank cannot carry such a consent. Nothing was set up.") from error
    frame = terms.frame
    standing = Standing(
        consent_id=consent.id,
        customer_id=customer_id,
        biller_id=terms.biller_id,
        bank_id=terms.bank_id,
        purpose=terms.biller_name[:PURPOSE_MOST],
        payee_name=frame.payee_name,
        payee_iban=frame.payee_iban,
        currency=frame.currency,
        each_minor=frame.each_minor,
        limits=[{"period": limit.period, "alignment": limit.alignment, "minor": limit.minor} for limit in frame.limits],
        vrp_type=terms.kind,
        days=terms.days,
        off_session=True,
        begins_on=frame.begins_on,
        ends_on=frame.ends_on,
        shown_hash=evidence["order"]["text"],
        evidence=evidence,
        agreed_at=uow.now,
        request_id=request.request_id,
        method=request.method,
        path=request.path,
        headers=dict(request.headers),
        body=request.body,
        psu=asdict(psu),
        sends=0,
        sequence=0,
    )
    uow.session.add(standing)
    uow.session.flush()
    entries.write(uow, Kind.CONSENT_AGREED, standing)
    return standing


def _changed() -> Conflict:
    return Conflict("terms-changed", "Something in this consent has changed since you saw it. Please check it again.")
